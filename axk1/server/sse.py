"""Server-sent events: frames, and a response that notices when nobody reads any more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import orjson
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

__all__ = ["DONE", "EventStream", "frame"]

DONE = b"data: [DONE]\n\n"


def frame(data: object, event: str | None = None) -> bytes:
    """One event with JSON data; Hangul stays readable."""
    head = b"" if event is None else b"event: " + event.encode() + b"\n"
    return head + b"data: " + orjson.dumps(data) + b"\n\n"


class EventStream(StreamingResponse):
    """Frames as they are made. However it ends, also when the client leaves before the first frame, `close` is called,
    which cancels what the frames are made from."""

    def __init__(
        self,
        frames: AsyncIterator[bytes],
        headers: Mapping[str, str] | None = None,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._close = close
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"} | dict(headers or {})
        super().__init__(frames, media_type="text/event-stream", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The reply, then the end."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._close is not None:
                await self._close()
