"""What the subjects of one transaction have used: read once, changed in memory, written once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import cast

from sqlalchemy import Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from axk1.server.tenancy.limits import Level, Limits, Refusal, Standing, windows
from axk1.server.tenancy.tables import Bucket, LedgerRow, LimitRow, Spent

__all__ = ["Book"]


class Book:
    """Standings by subject. A request counts for its organisation, its project and its key alike."""

    def __init__(self, standings: Mapping[str, Standing]) -> None:
        self._standings = standings
        self._changes: Counter[tuple[str, str]] = Counter()

    @classmethod
    async def load(cls, connection: AsyncConnection, subjects: Collection[str], current: Collection[str]) -> Book:
        """`current`: the windows that admissions will be measured by."""
        standings = {subject: Standing() for subject in sorted(subjects)}
        for row in await connection.execute(select(*LimitRow.__table__.c).where(LimitRow.subject.in_(subjects))):
            standings[row.subject].limits = Limits(*tuple(row)[1:])
        limited = {subject: one for subject, one in standings.items() if one.limits != Limits()}
        if limited:
            await _load_used(connection, limited, current)
        return cls(standings)

    def refusal(self, subjects: Sequence[str], tokens: int, now: float) -> Refusal | None:
        """The first reason of any of them."""
        found = (self._standings[subject].refusal(tokens, now) for subject in subjects)
        return next((one for one in found if one), None)

    def take(self, subjects: Sequence[str], tokens: int, at: float) -> None:
        """Counts a request in."""
        for subject in subjects:
            self._standings[subject].take(tokens, at)
            self._note(subject, tokens, at)

    def change(self, subjects: Sequence[str], tokens: int, began: float, ends: bool) -> None:
        """Counts tokens more or fewer for a request that began at `began`, and one under way less where it `ends`."""
        for subject in subjects:
            self._standings[subject].add(tokens, began)
            self._standings[subject].under_way -= ends
            self._note(subject, tokens, began)

    def of(self, subjects: Sequence[str]) -> list[Standing]:
        """Their standings."""
        return [self._standings[subject] for subject in subjects]

    async def save(self, connection: AsyncConnection) -> None:
        """Writes what has changed."""
        changes = [{"subject": s, "window": w, "tokens": n} for (s, w), n in sorted(self._changes.items()) if n]
        if changes:
            spent = _insert(connection, cast(Table, Spent.__table__))
            added = {"tokens": Spent.tokens + spent.excluded.tokens}
            await connection.execute(
                spent.on_conflict_do_update(index_elements=["subject", "window"], set_=added), changes
            )
        levels = [
            {"subject": subject, "kind": kind, "level": level.held, "at": level.at}
            for subject, one in self._standings.items()
            for kind, level in one.buckets.items()
        ]
        if levels:
            bucket = _insert(connection, cast(Table, Bucket.__table__))
            newer = {"level": bucket.excluded.level, "at": bucket.excluded.at}
            await connection.execute(
                bucket.on_conflict_do_update(index_elements=["subject", "kind"], set_=newer), levels
            )

    def _note(self, subject: str, tokens: int, at: float) -> None:
        for window in windows(at):
            self._changes[subject, window] += tokens


async def _load_used(connection: AsyncConnection, limited: Mapping[str, Standing], current: Collection[str]) -> None:
    for row in await connection.execute(select(*Bucket.__table__.c).where(Bucket.subject.in_(limited))):
        limited[row.subject].buckets[row.kind] = Level(row.level, row.at)
    wanted = select(*Spent.__table__.c).where(Spent.subject.in_(limited), Spent.window.in_(current))
    for row in await connection.execute(wanted):
        limited[row.subject].spent[row.window] = row.tokens
    bounded = [subject for subject, one in limited.items() if one.limits.at_once is not None]
    for column in (LedgerRow.organisation, LedgerRow.project, LedgerRow.key) if bounded else ():
        counted = select(column, func.count()).where(LedgerRow.outcome.is_(None), column.in_(bounded)).group_by(column)
        for subject, under_way in await connection.execute(counted):
            limited[subject].under_way = under_way


def _insert(connection: AsyncConnection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """The two databases write "insert or change" alike, each by its own class."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
