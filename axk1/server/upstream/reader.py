"""Server-sent events out of bytes that may be cut anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from axk1.server.errors import upstream_failed

__all__ = ["DONE", "EventReader", "Finish"]

_LONGEST = 8 << 20  # bytes of one event: prompt scores apart, a chunk of a reply has a few hundred


class Finish:
    """The type of `DONE`."""


DONE = Finish()
"""The upstream says that nothing follows."""


class EventReader:
    """Bytes in, JSON objects out. Lines end in LF, CRLF or CR; comments and the fields id and retry mean nothing here.

    ApiError (502) for an event that is too long or holds no JSON object. `name` is the upstream's, for the message.
    """

    def __init__(self, name: str, longest: int = _LONGEST) -> None:
        self._name, self._longest = name, longest
        self._rest = bytearray()
        self._searched = 0  # of the rest: here no line ends
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False  # an LF that comes next belongs to the line before

    def feed(self, data: bytes) -> Iterator[dict[str, Any] | Finish]:
        """The events that these bytes complete."""
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        self._rest += data
        while (line := self._line()) is not None:
            found = self._take(line)
            if found is not None:
                yield found
        if self._size + len(self._rest) > self._longest:
            raise upstream_failed(f"the upstream {self._name!r} sent an event of more than {self._longest} bytes")

    def end(self) -> Iterator[dict[str, Any] | Finish]:
        """What the last bytes hold, where the empty line behind the last event is missing."""
        for line in (bytes(self._rest), b""):
            found = self._take(line)
            if found is not None:
                yield found
        self._rest.clear()
        self._searched = 0

    def _line(self) -> bytes | None:
        rest = self._rest
        feed = rest.find(b"\n", self._searched)
        end = rest.find(b"\r", self._searched, len(rest) if feed < 0 else feed)
        end = feed if end < 0 else end
        if end < 0:
            self._searched = len(rest)
            return None
        behind = end + 1
        if rest[end] == ord("\r"):
            if behind == len(rest):
                self._after_cr = True
            elif rest[behind] == ord("\n"):
                behind += 1
        line = bytes(rest[:end])
        del rest[:behind]
        self._searched = 0
        return line

    def _take(self, line: bytes) -> dict[str, Any] | Finish | None:
        if line:
            field, _, value = line.partition(b":")
            if field == b"data":
                self._data.append(value.removeprefix(b" "))
                self._size += len(value)
            return None
        data, self._data, self._size = b"\n".join(self._data), [], 0
        if not data.strip():
            return None
        return DONE if data.strip() == b"[DONE]" else self._parsed(data)

    def _parsed(self, data: bytes) -> dict[str, Any]:
        try:
            # bytes that are no text become U+FFFD, which the reply leaves out; json keeps lone surrogates, orjson fails
            found = json.loads(data.decode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            raise upstream_failed(f"the upstream {self._name!r} sent an event that is not JSON") from error
        if not isinstance(found, dict):
            raise upstream_failed(f"the upstream {self._name!r} sent an event that is not an object")
        return found
