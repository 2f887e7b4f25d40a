"""The answer to one call: the engine's streams, read side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from axk1.engine.output import Delta
from axk1.engine.stream import AsyncStream
from axk1.server.calls import Event, PromptScores, TokenScore, Usage
from axk1.server.engine.scores import score, token_text
from axk1.server.errors import overloaded
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["Choice", "EngineAnswer"]


class Choice(Protocol):
    """What turns one stream's deltas into events."""

    completion: int
    reasoning: int

    def events(self, deltas: Sequence[Delta]) -> list[Event]: ...


class EngineAnswer:
    """One stream for each choice; `samples` of them in a row have the same prompt."""

    def __init__(
        self, tokenizer: Tokenizer, streams: Sequence[AsyncStream], choices: Sequence[Choice], samples: int
    ) -> None:
        self._tokenizer, self._streams, self._choices = tokenizer, streams, choices
        self._prompts = [stream.job for stream in streams[::samples]]
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False
        self._to_score = {n for n, stream in enumerate(streams) if stream.job.prompt_logprobs is not None}

    @property
    def usage(self) -> Usage:
        """So far. Every sample's tokens count, the prompt once for all samples of it."""
        return Usage(
            prompt=sum(len(job.prompt) for job in self._prompts),
            completion=sum(choice.completion for choice in self._choices),
            reasoning=sum(choice.reasoning for choice in self._choices),
            cached=sum(min(job.sequence.reused, len(job.prompt)) for job in self._prompts),
        )

    async def __aiter__(self) -> AsyncIterator[Event]:
        if len(self._streams) == 1:
            while (events := await self._next(0)) is not None:
                for event in events:
                    yield event
            return
        ready: asyncio.Queue[list[Event] | Exception | None] = asyncio.Queue()
        numbers = range(len(self._streams))
        self._tasks = [asyncio.create_task(self._copy(number, ready.put_nowait)) for number in numbers]
        running = len(self._tasks)
        while running:
            found = await ready.get()
            if isinstance(found, Exception):
                raise found
            if found is None:
                running -= 1
                continue
            for event in found:
                yield event

    async def aclose(self) -> None:
        """Cancels what runs. Who still iterates comes to an end."""
        self._closed = True
        for stream in self._streams:
            stream.close()

    async def _copy(self, number: int, put: Callable[[list[Event] | Exception | None], None]) -> None:
        try:
            while (events := await self._next(number)) is not None:
                put(events)
        except Exception as error:  # noqa: BLE001  (it rises in whoever reads the answer)
            put(error)
        else:
            put(None)

    async def _next(self, number: int) -> list[Event] | None:
        """The next events of one choice, those of all deltas that wait; None at the end."""
        stream = self._streams[number]
        deltas = await stream.waiting()
        if not deltas or (self._closed and deltas[-1].finish_reason == "cancelled"):
            return None
        if deltas[-1].finish_reason == "cancelled":
            raise overloaded("the server stops: send the request again")
        events = self._choices[number].events(deltas)
        if number in self._to_score:
            self._to_score.remove(number)
            return [PromptScores(number, self._prompt_scores(stream)), *events]
        return events

    def _prompt_scores(self, stream: AsyncStream) -> tuple[TokenScore, ...]:
        job = stream.job
        assert job.prompt_logprobs is not None
        most = job.params.prompt_logprobs
        assert most is not None
        scores = []
        for token, chances in zip(job.prompt, job.prompt_logprobs, strict=True):
            data = self._tokenizer.bytes_of(token)
            if chances is None:
                scores.append(TokenScore(token_text(data), data, None, token))
            else:
                scores.append(score(self._tokenizer, token, chances, most, data))
        return tuple(scores)
