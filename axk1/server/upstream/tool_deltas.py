"""The tool calls of one choice, from the pieces in which upstreams send them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from axk1.server.calls import Event, ToolArguments, ToolCallBegin
from axk1.server.upstream.wholeness import Whole

__all__ = ["ToolDeltas"]


@dataclass
class _Open:
    """A call that has begun upstream. `number` None: not yet told to the client, for its name is missing."""

    id: str = ""
    name: str = ""
    number: int | None = None
    waiting: str = ""
    whole: Whole = field(default_factory=Whole)


class ToolDeltas:
    """Calls are numbered as they come; with `parallel` False only the first is told. A missing id is made."""

    def __init__(self, choice: int, parallel: bool) -> None:
        self._choice, self._parallel = choice, parallel
        self._calls: dict[object, _Open] = {}
        self._last: object = None
        self.told = 0

    @property
    def unnamed(self) -> bool:
        """Whether a call has begun whose name never came."""
        return any(not call.name for call in self._calls.values())

    def push(self, deltas: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
        """The events of a `tool_calls` list."""
        for delta in deltas:
            call = self._call(delta)
            function = delta.get("function") or {}
            call.id = call.id or Whole().push(str(delta.get("id") or ""))
            call.name = call.name or Whole().push(str(function.get("name") or ""))
            arguments = function.get("arguments") or ""
            text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
            yield from self._told(call, call.whole.push(text))

    def _call(self, delta: Mapping[str, Any]) -> _Open:
        """By index; without one a new id begins a new call."""
        key = delta.get("index")
        if key is None:
            key = delta.get("id") or self._last
        self._last = key
        return self._calls.setdefault(key, _Open())

    def _told(self, call: _Open, text: str) -> Iterator[Event]:
        call.waiting += text
        if not call.name or (call.number is None and self.told and not self._parallel):
            return
        if call.number is None:
            call.number, self.told = self.told, self.told + 1
            call.id = call.id or f"call_{secrets.token_hex(12)}"
            yield ToolCallBegin(self._choice, call.number, call.id, call.name)
        if call.waiting:
            yield ToolArguments(self._choice, call.number, call.waiting)
            call.waiting = ""
