"""The two ends of a job's pipe: a reader in a thread, a reader in an event loop. Who stops reading cancels the job."""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import Callable
from typing import Self

from axk1.engine.job import Completion, Item
from axk1.engine.loop import Loop
from axk1.engine.output import Delta, RequestOutput

__all__ = ["AsyncStream", "Stream"]

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


class AsyncStream:
    """The same for `async for`; made and read in one event loop."""

    def __init__(self, make: Make, loop: Loop, owner: object) -> None:
        self._items: asyncio.Queue[Item] = asyncio.Queue()
        self._events = asyncio.get_running_loop()
        self._loop = loop
        self._owner = owner
        self._done = False
        self.job = make(self._deliver)
        loop.submit(self.job)

    def _deliver(self, item: Item) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop has ended, and with it whoever read
            self._events.call_soon_threadsafe(self._items.put_nowait, item)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delta:
        if self._done:
            raise StopAsyncIteration
        item = await self._items.get()
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
