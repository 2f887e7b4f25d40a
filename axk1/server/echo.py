"""The parameters in force, told in a header of the reply."""

from __future__ import annotations

import json
from collections.abc import Mapping

from axk1.server.calls import ChatCall, TextCall

__all__ = ["HEADER", "in_force", "parameters_header", "text_in_force"]

HEADER = "axk1-parameters"


def in_force(call: ChatCall) -> dict[str, object]:
    """What decides the answer to a call, defaults included; None where nothing binds."""
    return text_in_force(call) | {"thinking": call.thinking.enabled, "thinking_budget": call.thinking.budget}


def text_in_force(call: ChatCall | TextCall) -> dict[str, object]:
    """The part of it that has nothing to do with reasoning."""
    sampling = call.sampling
    return {
        "model": call.model,
        "n": call.n,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "repetition_penalty": sampling.repetition_penalty,
        "seed": sampling.seed,
        "max_tokens": sampling.max_tokens,
    }


def parameters_header(values: Mapping[str, object]) -> dict[str, str]:
    """Compact JSON in ASCII: no line end and no Hangul can break a header."""
    return {HEADER: json.dumps(dict(values), separators=(",", ":"))}
