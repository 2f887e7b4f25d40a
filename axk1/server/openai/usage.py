"""Tokens and log-probabilities in OpenAI's form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from axk1.server.calls import TokenScore, Usage

__all__ = ["chat_logprobs", "prompt_logprobs", "usage_of"]


def usage_of(usage: Usage) -> dict[str, Any]:
    """Every field that the API has; there is no audio and no prediction here."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def chat_logprobs(scores: Iterable[TokenScore]) -> dict[str, Any]:
    """Of a choice of chat: `bytes`, joined, are the text of the answer."""
    return {
        "content": [_score(one) | {"top_logprobs": [_score(top) for top in one.top]} for one in scores],
        "refusal": None,
    }


def prompt_logprobs(scores: Sequence[TokenScore]) -> list[dict[str, Any] | None]:
    """vLLM's form: by place a mapping from id to log-probability, rank and text; the first token has none."""
    return [None if one.logprob is None else _ranked(one) for one in scores]


def _score(one: TokenScore) -> dict[str, Any]:
    return {"token": one.token, "logprob": one.logprob, "bytes": list(one.data)}


def _ranked(one: TokenScore) -> dict[str, Any]:
    return {
        str(score.id): {"logprob": score.logprob, "rank": score.rank, "decoded_token": score.token}
        for score in (*one.top, one)
    }
