"""The one way from a front to a model: the caller is admitted, the answer metered, the ledger settled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from axk1.server.access import Caller, Gate, Outcome, Ticket
from axk1.server.calls import (
    Answer,
    ChatCall,
    EmbedCall,
    Embedded,
    Event,
    Provider,
    TextCall,
    TokenizeCall,
    Tokens,
    Usage,
)
from axk1.server.errors import ApiError, not_found
from axk1.server.reserve import most_tokens

__all__ = ["Gateway", "Metered", "Observer", "Origin"]


@dataclass(frozen=True)
class Origin:
    """Where a call comes from: who asks, through which endpoint, under which request id; `background`: nobody waits."""

    caller: Caller
    endpoint: str
    request_id: str
    background: bool = False


class Observer(Protocol):
    """Is told of every request that was admitted; seconds count from there."""

    def began(self, model: str) -> None: ...
    def first(self, model: str, seconds: float) -> None: ...
    def gap(self, model: str, seconds: float) -> None: ...
    def ended(self, model: str, seconds: float, usage: Usage, outcome: Outcome) -> None: ...


class _Nobody:
    """Looks away."""

    def began(self, model: str) -> None: ...
    def first(self, model: str, seconds: float) -> None: ...
    def gap(self, model: str, seconds: float) -> None: ...
    def ended(self, model: str, seconds: float, usage: Usage, outcome: Outcome) -> None: ...


class Gateway:
    """Models by name, behind a gate. The first model answers where a request names none."""

    def __init__(self, providers: Mapping[str, Provider], gate: Gate, observer: Observer | None = None) -> None:
        if not providers:
            raise ValueError("a gateway needs at least one model")
        self.providers = dict(providers)
        self.gate = gate
        self.observer = observer or _Nobody()
        self._begun: dict[int, float] = {}  # open tickets by identity, and when they were admitted
        self._interactive: set[str] = set()  # tickets of answers that somebody waits for

    @property
    def interactive(self) -> int:
        """Answers under way that somebody waits for: background work gives way to them."""
        return len(self._interactive)

    def provider(self, model: str) -> Provider:
        """404 for a name that no model has."""
        found = self.providers.get(model)
        if found is None:
            known = ", ".join(self.providers)
            raise not_found(f"the model {model!r} does not exist; known: {known}", "model", "model_not_found")
        return found

    async def chat(self, origin: Origin, call: ChatCall) -> Metered:
        """The answer; settled when it is read to the end or closed. ApiError as `Gate.admit` and `Provider.chat`."""
        provider = self.provider(call.model)
        ticket = await self._admit(origin, call, provider)
        return await self._metered(ticket, provider.chat(call))

    async def complete(self, origin: Origin, call: TextCall) -> Metered:
        """As `chat`."""
        provider = self.provider(call.model)
        ticket = await self._admit(origin, call, provider)
        return await self._metered(ticket, provider.complete(call))

    async def embed(self, origin: Origin, call: EmbedCall) -> Embedded:
        """Vectors; settled when they are there."""
        provider = self.provider(call.model)
        ticket = await self._admit(origin, call, provider)
        try:
            made = await provider.embed(call)
        except BaseException as error:
            await self.settle(ticket, Usage(), _outcome(error))
            raise
        await self.settle(ticket, made.usage, "completed")
        return made

    async def tokenize(self, call: TokenizeCall) -> Tokens:
        """Costs nothing."""
        return await self.provider(call.model).tokenize(call)

    async def close(self) -> None:
        """Closes every provider once."""
        for provider in {id(one): one for one in self.providers.values()}.values():
            await provider.close()

    async def _admit(self, origin: Origin, call: ChatCall | TextCall | EmbedCall, provider: Provider) -> Ticket:
        most = most_tokens(call, provider.card.context)
        ticket = await self.gate.admit(origin.caller, origin.request_id, origin.endpoint, call.model, most)
        self._begun[id(ticket)] = time.perf_counter()
        self.observer.began(ticket.model)
        if not origin.background:
            self._interactive.add(ticket.id)
        return ticket

    async def _metered(self, ticket: Ticket, asked: Awaitable[Answer]) -> Metered:
        try:
            answer = await asked
        except BaseException as error:
            await self.settle(ticket, Usage(), _outcome(error))
            raise
        return Metered(answer, ticket, self)

    def begun(self, ticket: Ticket) -> float:
        """When an open ticket was admitted, by the clock that only counts on."""
        return self._begun[id(ticket)]

    async def settle(self, ticket: Ticket, usage: Usage, outcome: Outcome) -> None:
        """Closes a ticket, also when the task that asks is being cancelled."""
        self._interactive.discard(ticket.id)
        took = time.perf_counter() - self._begun.pop(id(ticket))
        self.observer.ended(ticket.model, took, usage, outcome)
        await asyncio.shield(self.gate.settle(ticket, usage, outcome))


class Metered:
    """An Answer that settles its ticket exactly once: before its end is seen, when it fails, or when it is closed."""

    def __init__(self, answer: Answer, ticket: Ticket, gateway: Gateway) -> None:
        self._answer = answer
        self._gateway = gateway
        self._settled = False
        self.ticket = ticket

    @property
    def usage(self) -> Usage:
        """What has been used so far."""
        return self._answer.usage

    async def __aiter__(self) -> AsyncIterator[Event]:
        model, observer = self.ticket.model, self._gateway.observer
        last = self._gateway.begun(self.ticket)
        tell = observer.first
        try:
            async for event in self._answer:
                now = time.perf_counter()
                tell(model, now - last)
                last, tell = now, observer.gap
                yield event
            await self._settle("completed")
        except BaseException as error:
            await self._settle(_outcome(error))
            raise
        finally:
            await asyncio.shield(self._answer.aclose())

    async def aclose(self) -> None:
        """Cancels what still runs; it is settled as cancelled unless it was complete."""
        await self._answer.aclose()
        await self._settle("cancelled")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(self.aclose())

    async def _settle(self, outcome: Outcome) -> None:
        if not self._settled:
            self._settled = True
            await self._gateway.settle(self.ticket, self.usage, outcome)


def _outcome(error: BaseException) -> Outcome:
    broken_off = isinstance(error, asyncio.CancelledError | GeneratorExit)
    return "cancelled" if broken_off and not isinstance(error, ApiError) else "failed"
