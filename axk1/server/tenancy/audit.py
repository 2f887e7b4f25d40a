"""Who did which administrative act when: a log that is only added to, each entry sealed with the one before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from axk1.server.tenancy.tables import AuditRow

__all__ = ["Entry", "first_broken", "read", "record"]


@dataclass(frozen=True)
class Entry:
    """An act: `actor` is a key's id or "cli", `detail` a JSON object. `digest` seals it all, and what came before."""

    number: int
    at: float
    actor: str
    organisation: str
    act: str
    subject: str
    detail: str
    digest: str


async def record(
    connection: AsyncConnection, at: float, actor: str, organisation: str, act: str, subject: str,
    detail: Mapping[str, object],
) -> None:  # fmt: skip
    """Adds an entry; `connection` must be in an `exclusive` transaction."""
    last = (await connection.execute(select(*AuditRow.__table__.c).order_by(AuditRow.number.desc()).limit(1))).first()
    number, before = (last.number + 1, last.digest) if last else (1, "")
    text = json.dumps(dict(detail), ensure_ascii=False, sort_keys=True)
    entry = Entry(number, at, actor, organisation, act, subject, text, "")
    await connection.execute(insert(AuditRow).values({**vars(entry), "digest": _seal(entry, before)}))


async def read(connection: AsyncConnection, organisation: str | None, most: int, before: int | None) -> list[Entry]:
    """The newest entries with a number below `before`, of one organisation or of all, newest first."""
    wanted = select(*AuditRow.__table__.c).order_by(AuditRow.number.desc()).limit(most)
    if organisation is not None:
        wanted = wanted.where(AuditRow.organisation == organisation)
    if before is not None:
        wanted = wanted.where(AuditRow.number < before)
    return [Entry(*row) for row in await connection.execute(wanted)]


def first_broken(entries: Iterable[Entry]) -> int | None:
    """The number of the first entry that is not as it was written, or is missing; `entries` are all, oldest first."""
    before = ""
    for place, entry in enumerate(entries, 1):
        if entry.number != place or entry.digest != _seal(entry, before):
            return place
        before = entry.digest
    return None


def _seal(entry: Entry, before: str) -> str:
    fields = [before, *(value for name, value in vars(entry).items() if name != "digest")]
    return hashlib.sha256(json.dumps(fields, ensure_ascii=False).encode()).hexdigest()
