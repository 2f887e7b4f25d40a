"""Rows by their ids, for those who may see them: for others they are not there."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from axk1.server.access import Caller
from axk1.server.errors import not_found
from axk1.server.tenancy.roles import Action, require
from axk1.server.tenancy.tables import Key, Organisation, Project

__all__ = ["exists", "home_of", "key_row", "organisation_of_project"]


async def exists(connection: AsyncConnection, wanted: Select[Any]) -> bool:
    """Whether there is any such row."""
    return (await connection.execute(wanted.limit(1))).first() is not None


async def organisation_of_project(connection: AsyncConnection, actor: Caller, project: str) -> str:
    """The organisation of a project."""
    home = (await connection.execute(select(Project.organisation).where(Project.id == project))).scalar()
    return _visible(actor, home, f"there is no project {project!r}", "project")


async def key_row(connection: AsyncConnection, actor: Caller, key: str) -> Row[Any]:
    """A key's row."""
    row = (await connection.execute(select(*Key.__table__.c).where(Key.id == key))).first()
    _visible(actor, row.organisation if row else None, f"there is no key {key!r}", "key")
    assert row is not None
    return row


async def home_of(connection: AsyncConnection, actor: Caller, subject: str, action: Action) -> str:
    """The organisation of what may have limits: a key, a project, or an organisation itself; 403 without `action`."""
    for wanted in (
        select(Organisation.id).where(Organisation.id == subject),
        select(Project.organisation).where(Project.id == subject),
        select(Key.organisation).where(Key.id == subject),
    ):
        home: str | None = (await connection.execute(wanted)).scalar()
        if home is not None:
            break
    found = _visible(actor, home, f"there is no organisation, project or key {subject!r}", "subject")
    require(actor, action, found)
    return found


def _visible(actor: Caller, home: str | None, message: str, param: str) -> str:
    if home is None or not (actor.system or actor.organisation == home):
        raise not_found(message, param)
    return home
