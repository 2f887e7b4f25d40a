"""The parameters in force, told in a header of the reply."""

from __future__ import annotations

import json
from collections.abc import Mapping

from axk1.server.calls import ChatCall

__all__ = ["HEADER", "in_force", "parameters_header"]

HEADER = "axk1-parameters"


def in_force(call: ChatCall) -> dict[str, object]:
    """What decides the answer to a call, defaults included; None where nothing binds."""
    sampling = call.sampling
    return {
        "model": call.model,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "max_tokens": sampling.max_tokens,
        "thinking": call.thinking.enabled,
        "thinking_budget": call.thinking.budget,
    }


def parameters_header(values: Mapping[str, object]) -> dict[str, str]:
    """Compact JSON in ASCII: no line end and no Hangul can break a header."""
    return {HEADER: json.dumps(dict(values), separators=(",", ":"))}
