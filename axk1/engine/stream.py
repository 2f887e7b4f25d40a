"""The two ends of a job's pipe: a reader in a thread, a reader in an event loop. Who stops reading cancels the job."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import queue
from collections import deque
from collections.abc import Callable
from typing import Self

from axk1.engine.job import Completion, Item
from axk1.engine.loop import Loop
from axk1.engine.output import Delta, RequestOutput

__all__ = ["AsyncStream", "Mailbox", "Stream"]

Make = Callable[[Callable[[Item], None]], Completion]
"""Makes the job, given where it is to deliver."""


class Stream:
    """Deltas as they are made. Iterating ends after the one with a finish reason; an error of the engine rises here."""

    def __init__(self, make: Make, loop: Loop, owner: object) -> None:
        self._items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._loop = loop
        self._owner = owner  # an engine lives as long as somebody reads from it
        self._done = False
        self.job = make(self._items.put)
        loop.submit(self.job)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Delta:
        if self._done:
            raise StopIteration
        item = self._items.get()
        self._done = isinstance(item, Exception) or (isinstance(item, Delta) and item.finish_reason is not None)
        return _delta(item)

    def close(self) -> None:
        """Cancels the request if it has not ended."""
        if not self._done:
            self._loop.cancel(self.job)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "job"):
            self.close()

    def output(self) -> RequestOutput:
        """Reads to the end."""
        return _output(self.job, list(self))


class Mailbox:
    """Brings items from the engine's thread to the streams of one event loop, with one wake-up for all that a step
    gives: a wake-up for each token of two hundred streams would cost more than the tokens."""

    def __init__(self, events: asyncio.AbstractEventLoop, loop: Loop) -> None:
        self._events, self._loop = events, loop
        self._items: deque[tuple[AsyncStream, Item]] = deque()
        self._filled = False

    def put(self, stream: AsyncStream, item: Item) -> None:
        """From the engine's thread."""
        self._items.append((stream, item))
        if not self._filled:
            self._filled = True
            self._loop.after_step(self._ring)

    def _ring(self) -> None:
        self._filled = False
        with contextlib.suppress(RuntimeError, ReferenceError):  # the event loop has ended, and its readers with it
            self._events.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        while self._items:
            stream, item = self._items.popleft()
            stream.take(item)


class AsyncStream:
    """The same for `async for`; made and read in one event loop, the mailbox's."""

    def __init__(self, make: Make, loop: Loop, owner: object, mailbox: Mailbox) -> None:
        self._items: deque[Item] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._loop = loop
        self._owner = owner
        self._done = False
        self.job = make(functools.partial(mailbox.put, self))
        loop.submit(self.job)

    def take(self, item: Item) -> None:
        """What the mailbox brings."""
        self._items.append(item)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delta:
        if self._done:
            raise StopAsyncIteration
        await self._some()
        return self._next()

    async def waiting(self) -> list[Delta]:
        """All deltas that are there, at least one; none when the stream has ended."""
        if self._done:
            return []
        await self._some()
        deltas = [self._next()]
        while self._items and not self._done:
            deltas.append(self._next())
        return deltas

    async def _some(self) -> None:
        while not self._items:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader

    def _next(self) -> Delta:
        item = self._items.popleft()
        self._done = isinstance(item, Exception) or (isinstance(item, Delta) and item.finish_reason is not None)
        return _delta(item)

    def close(self) -> None:
        """Cancels the request if it has not ended."""
        if not self._done:
            self._loop.cancel(self.job)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "job"):
            self.close()

    async def output(self) -> RequestOutput:
        """Reads to the end; a task that is cancelled while it reads cancels the request."""
        try:
            return _output(self.job, [delta async for delta in self])
        finally:
            self.close()


def _delta(item: Item) -> Delta:
    if isinstance(item, Exception):
        raise item
    assert isinstance(item, Delta)
    return item


def _output(job: Completion, deltas: list[Delta]) -> RequestOutput:
    sequence = job.sequence
    counts = (sequence.reused, sequence.drafted, sequence.accepted)
    return RequestOutput.joined(job.prompt, deltas, job.prompt_logprobs, *counts)
