"""A tool call read while it is written: its name as soon as it is known, its arguments piece by piece."""

from __future__ import annotations

import re

__all__ = ["CallReader"]

_STRING = r'"(?:[^"\\]|\\.)*"'
# What stands before the value of `arguments` when the name comes first, as every model is taught to write it.
_HEAD = re.compile(rf'\s*\{{\s*"name"\s*:\s*({_STRING})\s*,\s*"arguments"\s*:\s*(?=\{{)')


class CallReader:
    """Takes the text of `{"name": …, "arguments": {…}}` in pieces. `name` is JSON text, None until it is known; what
    `push` gives are further characters of the arguments, which joined are that object as it was written."""

    def __init__(self) -> None:
        self.name: str | None = None
        self._head = ""
        self._depth = 0
        self._in_string = self._escaped = self._done = False

    def push(self, text: str) -> str:
        """The characters of the arguments in this piece."""
        if self.name is None:
            self._head += text
            found = _HEAD.match(self._head)
            if found is None:
                return ""
            self.name, text = found.group(1), self._head[found.end() :]
        return "" if self._done else text[: self._arguments_in(text)]

    def _arguments_in(self, text: str) -> int:
        """How many of the characters belong to the arguments: up to the brace that closes them."""
        for place, character in enumerate(text):
            if self._in_string:
                self._step_in_string(character)
            elif character == '"':
                self._in_string = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if self._depth == 0:
                    self._done = True
                    return place + 1
        return len(text)

    def _step_in_string(self, character: str) -> None:
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == '"':
            self._in_string = False
