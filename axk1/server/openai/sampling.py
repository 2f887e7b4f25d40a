"""The sampling fields that chat and completions share, and what they mean to the engine."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal

from pydantic import Field

from axk1.chat.sampling import LARGEST_SEED, SamplingParams
from axk1.server.errors import bad_request
from axk1.server.openai.strict import Strict

__all__ = ["Count", "SamplingFields", "StreamOptions", "made"]

Count = Annotated[int, Field(ge=1, le=64)]
_STOPS = 16  # texts that may end an answer
_SEED_BITS = 31  # of a seed that we draw: short enough for every client's integers


class StreamOptions(Strict):
    """What a stream tells beside the text."""

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None  # vLLM's: usage so far in every chunk
    include_obfuscation: bool | None = None  # accepted: nothing is padded here


class StructuredOutputs(Strict):
    """vLLM's form of asking for a structure; one of them."""

    json_: dict[str, Any] | str | None = Field(None, alias="json")
    regex: str | None = None
    grammar: str | None = None


class SamplingFields(Strict):
    """Fields of both endpoints; those that are not OpenAI's are vLLM's."""

    model: str
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    n: Count | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = Field(None, ge=0)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[str, float] | None = None
    seed: int | None = Field(None, ge=0, le=LARGEST_SEED)
    user: str | None = None
    top_k: int | None = Field(None, ge=-1)
    min_p: float | None = Field(None, ge=0, le=1)
    repetition_penalty: float | None = Field(None, gt=0, le=100)
    stop_token_ids: list[int] | None = Field(None, max_length=64)
    ignore_eos: bool | None = None
    prompt_logprobs: int | None = Field(None, ge=0)
    guided_json: dict[str, Any] | str | None = None
    guided_regex: str | None = None
    guided_grammar: str | None = None
    structured_outputs: StructuredOutputs | None = None


_PLAIN = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "top_k",
    "min_p",
    "repetition_penalty",
    "stop_token_ids",
    "ignore_eos",
    "prompt_logprobs",
    "stop",
)


def made(fields: SamplingFields, max_tokens: int | None, logprobs: int | None, **structure: Any) -> SamplingParams:
    """The engine's parameters: what is not given is A.X K1's default, a seed is drawn, so that it can be told. ApiError
    for what makes no sense."""
    if fields.stream_options is not None and not fields.stream:
        raise bad_request("stream_options goes with stream: set stream to true", "stream_options")
    if isinstance(fields.stop, list) and len(fields.stop) > _STOPS:
        raise bad_request(f"stop holds {len(fields.stop)} texts: at most {_STOPS}", "stop")
    values = {name: getattr(fields, name) for name in _PLAIN if getattr(fields, name) is not None}
    seed = secrets.randbits(_SEED_BITS) if fields.seed is None else fields.seed
    values |= {"seed": seed, "max_tokens": max_tokens, "logprobs": logprobs, "logit_bias": _bias(fields)}
    asked = {name: value for name, value in (_structures(fields) | structure).items() if value is not None}
    try:
        return SamplingParams(**values, **asked)
    except ValueError as error:
        raise bad_request(str(error)) from error


def _structures(fields: SamplingFields) -> dict[Literal["json_schema", "regex", "grammar"], Any]:
    grouped = fields.structured_outputs or StructuredOutputs.model_validate({})
    given = {
        "json_schema": (fields.guided_json, grouped.json_),
        "regex": (fields.guided_regex, grouped.regex),
        "grammar": (fields.guided_grammar, grouped.grammar),
    }
    for name, values in given.items():
        if all(value is not None for value in values):
            raise bad_request(f"{name} is asked for twice: send structured_outputs or guided_…", "structured_outputs")
    return {name: next((value for value in values if value is not None), None) for name, values in given.items()}  # type: ignore[misc]


def _bias(fields: SamplingFields) -> dict[int, float]:
    try:
        return {int(token): bias for token, bias in (fields.logit_bias or {}).items()}
    except ValueError as error:
        raise bad_request("logit_bias must have token ids as keys", "logit_bias") from error
