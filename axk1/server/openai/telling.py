"""An answer told to the client: whole, or frame by frame. How it looks is the matter of who collects or writes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol

from axk1.server.calls import Event, Usage
from axk1.server.errors import told
from axk1.server.gateway import Metered
from axk1.server.sse import DONE, frame

__all__ = ["Chunks", "Whole", "frames", "whole_reply"]


class Whole(Protocol):
    """Collects events and makes the object of the reply."""

    def add(self, event: Event) -> None: ...
    def reply(self, usage: Usage) -> dict[str, Any]: ...


class Chunks(Protocol):
    """Makes the frames of a stream."""

    def begin(self) -> Iterator[bytes]: ...
    def event(self, event: Event, usage: Usage) -> Iterator[bytes]: ...
    def end(self, usage: Usage) -> Iterator[bytes]: ...


async def whole_reply(answer: Metered, whole: Whole) -> dict[str, Any]:
    """The object of the reply, when all is there."""
    async with answer:
        async for event in answer:
            whole.add(event)
    return whole.reply(answer.usage)


async def frames(answer: Metered, chunks: Chunks) -> AsyncIterator[bytes]:
    """The frames as they come, and the end; a failure in mid-stream is one of them."""
    async with answer:
        try:
            for made in chunks.begin():
                yield made
            async for event in answer:
                for made in chunks.event(event, answer.usage):
                    yield made
            for made in chunks.end(answer.usage):
                yield made
            yield DONE
        except Exception as error:  # noqa: BLE001  (the status is sent already: the stream has to say it)
            yield frame(told(error, answer.ticket.id).openai(), "error")
