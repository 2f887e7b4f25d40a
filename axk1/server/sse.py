"""Server-sent events: frames, and a response that notices when nobody reads any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress

import orjson
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

__all__ = ["DONE", "QUIET", "EventStream", "frame"]

DONE = b"data: [DONE]\n\n"
QUIET = b": nothing yet\n\n"  # a comment: clients skip it, proxies see that the stream lives
_SILENCE = 10.0  # seconds


def frame(data: object, event: str | None = None) -> bytes:
    """One event with JSON data; Hangul stays readable."""
    head = b"" if event is None else b"event: " + event.encode() + b"\n"
    return head + b"data: " + orjson.dumps(data) + b"\n\n"


class EventStream(StreamingResponse):
    """Frames as they are made; `quiet` is sent whenever there was none for `silence` seconds. However it ends, also
    when the client leaves before the first frame, `close` is called, which cancels what the frames are made from."""

    def __init__(
        self,
        frames: AsyncIterator[bytes],
        headers: Mapping[str, str] | None = None,
        close: Callable[[], Awaitable[None]] | None = None,
        quiet: bytes = QUIET,
        silence: float = _SILENCE,
    ) -> None:
        self._close, self._quiet, self._silence = close, quiet, silence
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"} | dict(headers or {})
        super().__init__(frames, media_type="text/event-stream", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The reply, then the end."""
        lively = _Lively(send, self._quiet, self._silence)
        try:
            await super().__call__(scope, receive, lively.send)
        finally:
            lively.end()
            if self._close is not None:
                await asyncio.shield(self._close())  # it may be cancelled twice: a time-out, then a hang-up


class _Lively:
    """Sends, and fills the silence between the first frame and the end."""

    def __init__(self, send: Send, quiet: bytes, silence: float) -> None:
        self._send, self._quiet, self._silence = send, quiet, silence
        self._heard = False  # since the ticker looked last
        self._ticker: asyncio.Task[None] | None = None

    async def send(self, message: Message) -> None:
        """One message of the reply."""
        self._heard = True
        if message["type"] == "http.response.start":
            self._ticker = asyncio.create_task(self._tick())
        elif not message.get("more_body", False):
            self.end()
        await self._send(message)

    def end(self) -> None:
        """Nothing more is said."""
        if self._ticker is not None:
            self._ticker.cancel()

    async def _tick(self) -> None:
        with suppress(OSError):  # the client is gone, as the next frame will find
            while True:
                await asyncio.sleep(self._silence)
                if not self._heard:
                    await self._send({"type": "http.response.body", "body": self._quiet, "more_body": True})
                self._heard = False
