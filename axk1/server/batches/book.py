"""Batches in the database: made, found, listed, and led from one status to the next."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from axk1.server.errors import ApiError, not_found
from axk1.server.store.batches import BatchRow

__all__ = ["Book"]

UNFINISHED = ("validating", "in_progress", "finalizing", "cancelling")
_STAMPED = {"in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled"}
_MOST_UNFINISHED = 100  # of a project
_ID = re.compile("batch_[0-9a-f]{32}")


class Book:
    """Every change of status says from which, so that a cancellation is never overwritten."""

    def __init__(self, database: AsyncEngine) -> None:
        self._database = database

    async def add(self, row: BatchRow) -> None:
        """429 where the project has too many batches under way."""
        mine = select(func.count()).where(BatchRow.project == row.project, BatchRow.status.in_(UNFINISHED))
        async with AsyncSession(self._database, expire_on_commit=False) as session, session.begin():
            if (await session.scalar(mine) or 0) >= _MOST_UNFINISHED:
                message = f"{_MOST_UNFINISHED} batches of this project are under way: wait for one or cancel it"
                raise ApiError(429, message, "rate_limit_error", code="batch_limit_exceeded")
            session.add(row)

    async def find(self, project: str, batch_id: str) -> BatchRow:
        """404 for one that is not there or is another project's."""
        found = None
        if _ID.fullmatch(batch_id):
            async with AsyncSession(self._database) as session:
                wanted = select(BatchRow).where(BatchRow.id == batch_id, BatchRow.project == project)
                found = await session.scalar(wanted)
        if found is None:
            raise not_found(f"no batch has the id {batch_id!r}", "batch_id")
        return found

    async def page(self, project: str, limit: int, after: str | None) -> tuple[Sequence[BatchRow], bool]:
        """The newest first, and whether more follow."""
        wanted = select(BatchRow).where(BatchRow.project == project).order_by(BatchRow.number.desc())
        if after is not None:
            wanted = wanted.where(BatchRow.number < (await self.find(project, after)).number)
        async with AsyncSession(self._database) as session:
            rows = (await session.scalars(wanted.limit(limit + 1))).all()
        return rows[:limit], len(rows) > limit

    async def unfinished(self) -> Sequence[BatchRow]:
        """All that have something left to do, the oldest first."""
        wanted = select(BatchRow).where(BatchRow.status.in_(UNFINISHED)).order_by(BatchRow.number)
        async with AsyncSession(self._database) as session:
            return (await session.scalars(wanted)).all()

    async def advance(self, batch_id: str, before: Sequence[str], status: str, **values: Any) -> BatchRow | None:
        """Gives the batch a new status, at the time that it says, if its status is one of `before`; else None."""
        if status in _STAMPED:
            values[f"{status}_at"] = int(time.time())
        wanted = update(BatchRow).where(BatchRow.id == batch_id, BatchRow.status.in_(before))
        async with AsyncSession(self._database, expire_on_commit=False) as session, session.begin():
            return await session.scalar(wanted.values(status=status, **values).returning(BatchRow))

    async def count(self, batch_id: str, completed: int, failed: int) -> str:
        """Notes how far it is; returns its status, which a cancellation may have changed."""
        wanted = update(BatchRow).where(BatchRow.id == batch_id).values(completed=completed, failed=failed)
        async with AsyncSession(self._database) as session, session.begin():
            status: str | None = await session.scalar(wanted.returning(BatchRow.status))
        assert status is not None, batch_id
        return status
