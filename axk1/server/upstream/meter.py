"""What an answer has used so far, by what the upstream tells, else by what has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axk1.server.calls import Usage

__all__ = ["Meter"]

_BYTES_PER_TOKEN = 4  # of a request: a guess for the prompt of an answer that breaks off before any usage is told


class Meter:
    """`usage` is exact once the upstream has told it. Until then every piece counts as a token, which is what servers
    stream, and the prompt is guessed from its bytes: a client that leaves early is not served for nothing."""

    def __init__(self, request_bytes: int) -> None:
        self._prompt = request_bytes // _BYTES_PER_TOKEN
        self._pieces = self._reasoning = 0
        self._told: Usage | None = None
        self._reasoning_told = False

    @property
    def usage(self) -> Usage:
        """So far."""
        if self._told is None:
            return Usage(self._prompt, self._pieces, self._reasoning)
        if self._reasoning_told:
            return self._told
        reasoning = min(self._reasoning, self._told.completion)
        return Usage(self._told.prompt, self._told.completion, reasoning, self._told.cached)

    def piece(self, reasoning: bool) -> None:
        """A piece of text has come."""
        self._pieces += 1
        self._reasoning += reasoning

    def tell(self, usage: Mapping[str, Any]) -> None:
        """A usage object of OpenAI's form."""
        details = _object(usage.get("completion_tokens_details"))
        reasoning = details.get("reasoning_tokens", usage.get("reasoning_tokens"))
        self._reasoning_told = reasoning is not None and (reasoning > 0 or not self._reasoning)
        cached = _object(usage.get("prompt_tokens_details")).get("cached_tokens") or 0
        completion = usage.get("completion_tokens") or 0
        self._told = Usage(usage.get("prompt_tokens") or 0, completion, reasoning or 0, cached)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
