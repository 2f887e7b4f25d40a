"""The answer of an upstream: a stream that is read as it comes, or a reply that is there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

import httpx

from axk1.server.calls import Event, Usage
from axk1.server.errors import ApiError, upstream_failed
from axk1.server.upstream.client import Client
from axk1.server.upstream.failure import of_chunk
from axk1.server.upstream.meter import Meter
from axk1.server.upstream.reader import EventReader, Finish
from axk1.server.upstream.reply import ReplyReader

__all__ = ["StreamedAnswer", "WholeAnswer"]


class StreamedAnswer:
    """One streamed reply. Ends without an error only when every choice has ended, with or without a last [DONE]."""

    def __init__(self, client: Client, response: httpx.Response, reader: ReplyReader, meter: Meter) -> None:
        self._client, self._response, self._reader, self._meter = client, response, reader, meter
        self._closed = self._done = False

    @property
    def usage(self) -> Usage:
        """So far."""
        return self._meter.usage

    async def __aiter__(self) -> AsyncIterator[Event]:
        frames = EventReader(self._client.name)
        pieces = self._client.pieces(self._response)
        try:
            async for piece in pieces:
                for event in self._events(frames.feed(piece)):
                    yield event
                if self._done:
                    await self._client.finish(pieces)
                    break
            else:
                for event in self._events(frames.end()):
                    yield event
        except ApiError:
            if self._closed:  # closing the connection is what broke it
                return
            raise
        finally:
            await self._response.aclose()
        if not self._reader.complete and not self._closed:
            raise upstream_failed(f"the upstream {self._client.name!r} ended before the answer was complete")

    async def aclose(self) -> None:
        """Ends the connection, by which the upstream learns that nobody waits."""
        self._closed = True
        await self._response.aclose()

    def _events(self, found: Iterable[dict[str, object] | Finish]) -> Iterable[Event]:
        for chunk in found:
            if isinstance(chunk, Finish):
                self._done = True
                return
            error = of_chunk(self._client.name, chunk, self._client.secrets)
            if error is not None:
                raise error
            yield from self._reader.read(chunk)


class WholeAnswer:
    """Events that are there."""

    def __init__(self, events: Sequence[Event], usage: Usage) -> None:
        self._events, self.usage = events, usage

    async def __aiter__(self) -> AsyncIterator[Event]:
        for event in self._events:
            yield event

    async def aclose(self) -> None:
        """Nothing runs."""
