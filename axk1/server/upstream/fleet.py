"""Several upstreams of one model as one Provider: routed, checked, retried before the first token and never after."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from axk1.server.calls import (
    Answer,
    ChatCall,
    EmbedCall,
    Embedded,
    Event,
    ModelCard,
    TextCall,
    TokenizeCall,
    Tokens,
    Usage,
)
from axk1.server.errors import ApiError, overloaded
from axk1.server.upstream.failure import CANNOT_BE_REACHED
from axk1.server.upstream.provider import UpstreamProvider
from axk1.server.upstream.routing import Seat, choose, prefix_of

__all__ = ["Clock", "Fleet"]

T = TypeVar("T")
Clock = Callable[[], float]
_RETRIES, _RETRY_SHARE = 64.0, 0.2  # retries that may be made at once, and how many each success gives back


class Budget:
    """Retries of requests that an upstream had taken: so few that a fleet in trouble is not asked several times over.
    A connection that was refused costs an upstream nothing, and nothing here."""

    def __init__(self, most: float = _RETRIES) -> None:
        self._most = self._left = most

    def succeed(self) -> None:
        """A request was answered."""
        self._left = min(self._most, self._left + _RETRY_SHARE)

    def take(self, error: ApiError) -> bool:
        """Whether the request that failed so may go to another upstream."""
        if error.code == CANNOT_BE_REACHED or error.status == 429:
            return True
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Fleet:
    """Every upstream must serve the same model; `name` is its name here. Health checks begin with the first call and
    come every `check_seconds` (None: never)."""

    def __init__(
        self,
        providers: Sequence[UpstreamProvider],
        clock: Clock = time.monotonic,
        check_seconds: float | None = None,
    ) -> None:
        names = {one.settings.name for one in providers}
        if len(names) != 1:
            raise ValueError(f"the upstreams of a fleet serve one model, not {', '.join(sorted(names)) or 'none'}")
        self.name = next(iter(names))
        self.seats = [Seat(one) for one in providers]
        self.budget = Budget()
        self._clock, self._check_seconds = clock, check_seconds
        self._checks: list[asyncio.Task[None]] = []

    @property
    def card(self) -> ModelCard:
        """What every upstream can do, and the shortest context."""
        providers = [seat.provider for seat in self.seats]
        cards = [one.card for one in [one for one in providers if one.known] or providers]
        known = [card.context for card in cards if card.context is not None]
        return replace(
            cards[0],
            context=min(known, default=None),
            thinking=all(card.thinking for card in cards),
            tools=all(card.tools for card in cards),
            logprobs=all(card.logprobs for card in cards),
            embeddings=all(card.embeddings for card in cards),
            tokenizer=all(card.tokenizer for card in cards),
        )

    async def chat(self, call: ChatCall) -> Answer:
        """ApiError when no upstream can answer; a client's own mistake is not tried twice."""
        return await self._answer(call, lambda provider: provider.chat(call))

    async def complete(self, call: TextCall) -> Answer:
        """As `chat`."""
        return await self._answer(call, lambda provider: provider.complete(call))

    async def embed(self, call: EmbedCall) -> Embedded:
        """As `chat`."""
        trip = Trip(self, prefix_of(call))
        made = await trip.first(lambda provider: provider.embed(call))
        trip.end(None)
        return made

    async def tokenize(self, call: TokenizeCall) -> Tokens:
        """By any of them."""
        trip = Trip(self, b"")
        made = await trip.first(lambda provider: provider.tokenize(call))
        trip.end(None)
        return made

    async def drain(self, seat: Seat, poll: float = 0.05) -> None:
        """No new calls go there; returns when the last one has ended."""
        seat.draining = True
        while seat.outstanding:
            await asyncio.sleep(poll)

    async def close(self) -> None:
        """Ends the checks and all connections."""
        for task in self._checks:
            task.cancel()
        await asyncio.gather(*self._checks, return_exceptions=True)
        for seat in self.seats:
            await seat.provider.close()

    def seat(self, prefix: bytes, tried: Sequence[Seat]) -> Seat | None:
        """Takes the seat for a call: it counts there until it is given back."""
        if not self._checks and self._check_seconds is not None:
            self._checks = [asyncio.create_task(self._watch(seat, self._check_seconds)) for seat in self.seats]
        found = choose(self.seats, prefix, self._clock(), tried)
        if found is not None:
            found.outstanding += 1
            found.circuit.begin()
        return found

    def give_back(self, seat: Seat, error: BaseException | None) -> None:
        """A call has ended there, with this error if it failed."""
        seat.outstanding -= 1
        circuit, now = seat.circuit, self._clock()
        if error is None:
            circuit.succeed()
            self.budget.succeed()
        elif not isinstance(error, ApiError):
            circuit.drop()  # cancelled
        elif error.status in (429, 503):
            circuit.busy(now, float(error.headers.get("Retry-After", 1)))
        elif error.status >= 500:
            circuit.fail(now)
        else:
            circuit.succeed()  # it refused, so it is there

    def nobody(self) -> ApiError:
        """503: every upstream is resting; Retry-After says until when."""
        now = self._clock()
        wait = min((seat.circuit.wait(now) for seat in self.seats if not seat.draining), default=1.0)
        return overloaded(f"no upstream of {self.name!r} can be asked for now", max(1, math.ceil(wait)))

    async def _answer(self, call: ChatCall | TextCall, ask: Callable[[UpstreamProvider], Awaitable[Answer]]) -> Answer:
        trip = Trip(self, prefix_of(call))
        return FleetAnswer(trip, ask, await trip.first(ask))

    async def _watch(self, seat: Seat, seconds: float) -> None:
        while True:
            try:
                await seat.provider.check()
            except ApiError as error:
                # a full server is none that is broken
                if error.status not in (429, 503) or not seat.outstanding:
                    seat.circuit.fail(self._clock())
            else:
                # an open circuit is closed by a request that is answered, not by a list of models
                if seat.circuit.is_open:
                    seat.circuit.open_until = min(seat.circuit.open_until, self._clock())
            await asyncio.sleep(seconds)


class Trip:
    """One call on its way: which upstreams it has tried, and where it is."""

    def __init__(self, fleet: Fleet, prefix: bytes) -> None:
        self._fleet, self._prefix = fleet, prefix
        self._tried: list[Seat] = []
        self._seat: Seat | None = None

    async def first(self, ask: Callable[[UpstreamProvider], Awaitable[T]]) -> T:
        """What the first upstream that can says. ApiError."""
        seat = self._fleet.seat(self._prefix, self._tried)
        if seat is None:
            raise self._fleet.nobody()
        return await self._ask(seat, ask)

    async def next(self, error: ApiError, ask: Callable[[UpstreamProvider], Awaitable[T]]) -> T:
        """What another upstream says after this error, which rises again when there is none or no retry is allowed."""
        self.end(error)
        if error.status != 429 and error.status < 500:
            raise error
        seat = self._fleet.seat(self._prefix, self._tried)
        if seat is None:
            raise error
        if not self._fleet.budget.take(error):
            self._fleet.give_back(seat, asyncio.CancelledError())
            raise error
        return await self._ask(seat, ask)

    def end(self, error: BaseException | None) -> None:
        """The call is over where it is. Harmless when it was before."""
        if self._seat is not None:
            self._fleet.give_back(self._seat, error)
            self._seat = None

    async def _ask(self, seat: Seat, ask: Callable[[UpstreamProvider], Awaitable[T]]) -> T:
        self._seat = seat
        self._tried.append(seat)
        try:
            return await ask(seat.provider)
        except ApiError as error:
            return await self.next(error, ask)
        except BaseException as error:
            self.end(error)
            raise


class FleetAnswer:
    """An answer that begins anew elsewhere when it fails before its first event."""

    def __init__(self, trip: Trip, ask: Callable[[UpstreamProvider], Awaitable[Answer]], answer: Answer) -> None:
        self._trip, self._ask, self._answer = trip, ask, answer
        self._closed = False

    @property
    def usage(self) -> Usage:
        """Of the upstream that answers."""
        return self._answer.usage

    async def __aiter__(self) -> AsyncIterator[Event]:
        begun = False
        try:
            while True:
                try:
                    async for event in self._answer:
                        begun = True
                        yield event
                    break
                except ApiError as error:
                    await self._answer.aclose()
                    if begun or self._closed:
                        raise
                    self._answer = await self._trip.next(error, self._ask)
                    if self._closed:
                        await self._answer.aclose()
                        break
        except BaseException as error:
            self._trip.end(error)
            raise
        self._trip.end(None if not self._closed else asyncio.CancelledError())

    async def aclose(self) -> None:
        """Ends what runs."""
        self._closed = True
        await self._answer.aclose()
        self._trip.end(asyncio.CancelledError())
