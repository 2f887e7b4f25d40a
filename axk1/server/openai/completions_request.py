"""A request to /v1/completions, and the call that it asks for."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from axk1.server.calls import TextCall
from axk1.server.errors import bad_request
from axk1.server.openai.sampling import SamplingFields, made

__all__ = ["CompletionRequest", "call_of", "prompts_of"]

_DEFAULT_TOKENS = 16  # OpenAI's
_TOP = 20

Ids = list[Annotated[int, Field(ge=0)]]
Prompt = str | list[str] | Ids | list[Ids]


class CompletionRequest(SamplingFields):
    """With `echo` and `logprobs` the prompt's own log-probabilities come back, as evaluations need them."""

    prompt: Prompt
    echo: bool | None = None
    logprobs: int | None = Field(None, ge=0, le=_TOP)
    best_of: int | None = None
    suffix: str | None = None
    response_format: dict[str, Any] | None = None


def prompts_of(prompt: Prompt, field: str = "prompt") -> tuple[str | tuple[int, ...], ...]:
    """One text, several, ids, or several lists of ids. ApiError when there is none."""
    if isinstance(prompt, str):
        return (prompt,)
    if not prompt:
        raise bad_request(f"{field} is empty: send a text or a list of token ids", field)
    if all(isinstance(one, int) for one in prompt):
        return (tuple(one for one in prompt if isinstance(one, int)),)
    return tuple(one if isinstance(one, str) else tuple(one) for one in prompt if not isinstance(one, int))


def call_of(body: CompletionRequest) -> TextCall:
    """ApiError for what makes no sense together, or cannot be had."""
    if body.suffix:
        raise bad_request("suffix cannot be had: the model only continues text", "suffix")
    if body.best_of is not None and body.best_of != (body.n or 1):
        raise bad_request("best_of cannot be had: ask for n completions and choose among them", "best_of")
    if body.response_format is not None and body.response_format != {"type": "text"}:
        raise bad_request("response_format belongs to chat: use structured_outputs here", "response_format")
    most = _DEFAULT_TOKENS if body.max_tokens is None else body.max_tokens
    if most == 0 and not (body.echo or body.prompt_logprobs is not None):
        raise bad_request("max_tokens 0 asks for nothing: use it with echo or prompt_logprobs", "max_tokens")
    sampling = made(_scored(body), most or None, body.logprobs)
    return TextCall(body.model, prompts_of(body.prompt), sampling, body.n or 1, generate=most > 0)


def _scored(body: CompletionRequest) -> CompletionRequest:
    """An echo with log-probabilities asks for those of the prompt."""
    if not body.echo or body.logprobs is None:
        return body
    return body.model_copy(update={"prompt_logprobs": max(body.logprobs, body.prompt_logprobs or 0)})
