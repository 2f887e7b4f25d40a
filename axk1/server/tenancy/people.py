"""What administrators see of organisations, projects and keys."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from axk1.server.access import Role

__all__ = ["KeyInfo", "KeyWish", "NewKey", "OrganisationInfo", "ProjectInfo"]


@dataclass(frozen=True)
class OrganisationInfo:
    """An organisation; `created` in seconds since 1970."""

    id: str
    name: str
    created: float


@dataclass(frozen=True)
class ProjectInfo:
    """A project of an organisation."""

    id: str
    organisation: str
    name: str
    created: float


@dataclass(frozen=True)
class KeyWish:
    """What a key is to be. `models` and `endpoints` (paths such as /v1/chat/completions) empty: all. `expires` in
    seconds since 1970. `system`: may manage every organisation."""

    name: str
    role: Role = "member"
    models: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    expires: float | None = None
    system: bool = False


@dataclass(frozen=True)
class KeyInfo:
    """A key without its secret."""

    id: str
    project: str
    organisation: str
    name: str
    role: Role
    system: bool
    models: tuple[str, ...]
    endpoints: tuple[str, ...]
    created: float
    expires: float | None
    revoked: float | None
    used: float | None

    @classmethod
    def of(cls, row: Row[Any]) -> KeyInfo:
        """A row of the table, without its digest."""
        values = {name: getattr(row, name) for name in cls.__dataclass_fields__}
        lists = {name: tuple(json.loads(values[name])) for name in ("models", "endpoints")}
        return cls(**{**values, **lists})


@dataclass(frozen=True)
class NewKey:
    """`secret` is the whole key, to be shown once; it is kept nowhere."""

    info: KeyInfo
    secret: str = field(repr=False)
