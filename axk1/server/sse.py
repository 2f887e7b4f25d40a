"""Server-sent events: frames, and a response that notices when nobody reads any more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import orjson
from fastapi.responses import StreamingResponse

__all__ = ["DONE", "EventStream", "frame"]

DONE = b"data: [DONE]\n\n"


def frame(data: object, event: str | None = None) -> bytes:
    """One event with JSON data; Hangul stays readable."""
    head = b"" if event is None else b"event: " + event.encode() + b"\n"
    return head + b"data: " + orjson.dumps(data) + b"\n\n"


class EventStream(StreamingResponse):
    """Frames as they are made. When the client leaves, the generator is closed, and with it what it reads from."""

    def __init__(self, frames: AsyncIterator[bytes], headers: Mapping[str, str] | None = None) -> None:
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"} | dict(headers or {})
        super().__init__(frames, media_type="text/event-stream", headers=headers)
