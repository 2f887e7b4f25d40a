"""What the pages need of the part that keeps organisations and keys. All times are seconds since 1970, all days UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from axk1.server.access import Caller, Role

__all__ = ["AuditEntry", "Key", "KeyLimits", "NewKey", "Office", "Organisation", "Project", "UsageDay"]


@dataclass(frozen=True)
class Organisation:
    """Whoever shares a bill."""

    id: str
    name: str
    created_at: float


@dataclass(frozen=True)
class Project:
    """Keys that belong together."""

    id: str
    organisation: str
    name: str
    created_at: float


@dataclass(frozen=True)
class KeyLimits:
    """What a key may use; None: no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None


@dataclass(frozen=True)
class Key:
    """A key without its secret. `hint` is what may be shown of it."""

    id: str
    project: str
    name: str
    hint: str
    role: Role
    limits: KeyLimits
    created_at: float
    last_used_at: float | None = None
    revoked_at: float | None = None


@dataclass(frozen=True)
class NewKey:
    """A key just made: `secret` is known now and never again."""

    key: Key
    secret: str


@dataclass(frozen=True)
class UsageDay:
    """Requests and tokens of a day."""

    day: date
    requests: int
    prompt: int
    completion: int


@dataclass(frozen=True)
class AuditEntry:
    """Who did what. `number` counts up."""

    number: int
    at: float
    actor: str
    action: str
    target: str


class Office(Protocol):
    """Every method asks whether `caller` may: 403, and 404 for what is not there or another organisation's."""

    async def current(self, key_id: str) -> Caller | None:
        """Whom a key belongs to now; None when it is revoked or gone."""
        ...

    async def organisations(self, caller: Caller) -> Sequence[Organisation]:
        """All for the system's own key, else the caller's."""
        ...

    async def organisation(self, caller: Caller, organisation: str) -> Organisation: ...
    async def add_organisation(self, caller: Caller, name: str) -> Organisation: ...
    async def projects(self, caller: Caller, organisation: str) -> Sequence[Project]: ...
    async def project(self, caller: Caller, project: str) -> Project: ...
    async def add_project(self, caller: Caller, organisation: str, name: str) -> Project: ...
    async def keys(self, caller: Caller, project: str) -> Sequence[Key]: ...
    async def key(self, caller: Caller, key_id: str) -> Key: ...
    async def add_key(self, caller: Caller, project: str, name: str, role: Role, limits: KeyLimits) -> NewKey: ...
    async def set_limits(self, caller: Caller, key_id: str, limits: KeyLimits) -> Key: ...
    async def revoke_key(self, caller: Caller, key_id: str) -> Key: ...

    async def usage(self, caller: Caller, organisation: str, project: str | None, days: int) -> Sequence[UsageDay]:
        """The last `days` days with use, the oldest first."""
        ...

    async def audit(self, caller: Caller, organisation: str, before: int | None, limit: int) -> Sequence[AuditEntry]:
        """The newest first, those with a number below `before`."""
        ...
