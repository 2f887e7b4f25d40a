"""Who asks, and whether they may: what the gateway needs of keys, quotas and the ledger."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from axk1.server.calls import Usage

__all__ = ["Caller", "Gate", "OpenGate", "Outcome", "Role", "Ticket"]

Role = Literal["owner", "admin", "member", "viewer"]
"""owner and admin manage their organisation; a member uses models; a viewer reads usage only."""

Outcome = Literal["completed", "cancelled", "failed", "interrupted"]


@dataclass(frozen=True)
class Caller:
    """Whom a key belongs to. `system` may manage all organisations."""

    key_id: str
    organisation: str
    project: str
    role: Role = "member"
    system: bool = False


@dataclass(frozen=True)
class Ticket:
    """An admitted request, until it is settled; `id` is the ledger row's and is the request id of the reply."""

    id: str
    caller: Caller
    model: str
    endpoint: str
    reserved: int  # tokens taken from the quota beforehand
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)  # x-ratelimit-*, for the reply


class Gate(Protocol):
    """Keys, limits and the ledger behind one door. Every method may raise ApiError."""

    async def identify(self, key: str | None) -> Caller:
        """401 for no key or an unknown one."""
        ...

    async def admit(self, caller: Caller, request_id: str, endpoint: str, model: str, tokens: int) -> Ticket:
        """Takes `tokens`, the most that the request may use, from the quota: 403 for a role or model that may not,
        429 for a rate or quota that is used up. The row is on disk when this returns."""
        ...

    async def settle(self, ticket: Ticket, usage: Usage, outcome: Outcome) -> None:
        """Gives back what was not used. The row is on disk when this returns; it never fails for a database that is
        away, but keeps the row until it is back."""
        ...


class OpenGate:
    """No keys at all: everybody is the owner. For a server that only this machine reaches."""

    async def identify(self, key: str | None) -> Caller:  # noqa: ARG002
        """Whoever asks."""
        return Caller("local", "local", "local", "owner", system=True)

    async def admit(self, caller: Caller, request_id: str, endpoint: str, model: str, tokens: int) -> Ticket:
        """Always."""
        return Ticket(request_id or secrets.token_hex(12), caller, model, endpoint, tokens)

    async def settle(self, ticket: Ticket, usage: Usage, outcome: Outcome) -> None:
        """Nothing is kept."""
