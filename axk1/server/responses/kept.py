"""Answers that are kept: found by id, for the project that asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Any, cast

import orjson
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from axk1.server.errors import not_found
from axk1.server.responses.names import answer_of
from axk1.server.store.responses import ResponseRow

__all__ = ["before", "find", "keep", "referred", "remove"]

_PATIENCE = 15.0  # seconds for a database that does not answer; SQLite waits 10 for its lock
_log = logging.getLogger(__name__)


async def find(database: AsyncEngine, project: str, name: str, param: str = "id") -> ResponseRow:
    """404 for an answer that is not there, or another project's."""
    async with AsyncSession(database) as session:
        row = await session.get(ResponseRow, name)
    if row is None or row.project != project:
        raise not_found(f"no response has the id {name!r}", param)
    return row


async def before(database: AsyncEngine, project: str, name: str) -> list[dict[str, Any]]:
    """The conversation that an answer ends. 404 as `find`."""
    row = await find(database, project, name, "previous_response_id")
    return cast("list[dict[str, Any]]", orjson.loads(row.items))


async def referred(database: AsyncEngine, project: str, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """Items by their ids, kept with the project's answers; each answer is read once. 404 for one that is not there."""
    found: dict[str, dict[str, Any]] = {}
    async with AsyncSession(database) as session:
        for answer in {answer_of(name) for name in names}:
            row = await session.get(ResponseRow, answer)
            if row is not None and row.project == project:
                found |= {item["id"]: item for item in orjson.loads(row.items)}
    for name in names:
        if name not in found:
            message = f"no item has the id {name!r}: only items of kept responses can be referred to"
            raise not_found(message, "input")
    return found


async def keep(
    database: AsyncEngine, project: str, whole: dict[str, Any], items: list[dict[str, Any]]
) -> dict[str, Any]:
    """The answer as its client is told it. Its tokens are paid for: while the database is away it is given all the
    same, and says that it is not kept."""
    if not whole["store"]:
        return whole
    row = ResponseRow(id=whole["id"], project=project, created_at=float(whole["created_at"]))
    row.response = orjson.dumps(whole).decode()
    row.items = orjson.dumps([*items, *whole["output"]]).decode()
    try:
        async with asyncio.timeout(_PATIENCE), AsyncSession(database) as session, session.begin():
            session.add(row)
    except (SQLAlchemyError, TimeoutError) as error:
        _log.error("the response %s could not be kept: %r", whole["id"], error)
        return whole | {"store": False}
    return whole


async def remove(database: AsyncEngine, row: ResponseRow) -> None:
    """Later answers of its chain keep what they read."""
    async with AsyncSession(database) as session, session.begin():
        await session.delete(row)
