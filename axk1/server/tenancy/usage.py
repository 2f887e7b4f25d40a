"""Sums of the ledger."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from axk1.server.tenancy.tables import LedgerRow

__all__ = ["EVER", "GROUPS", "Group", "Span", "UsageRow", "as_csv", "sums"]

Group = Literal["day", "key", "project", "organisation", "model", "endpoint", "outcome"]
GROUPS: tuple[Group, ...] = get_args(Group)


@dataclass(frozen=True)
class Span:
    """Days of UTC, both included, such as "2026-11-27"; "" = no bound."""

    since: str = ""
    until: str = ""


EVER = Span()


@dataclass(frozen=True)
class UsageRow:
    """Sums over the requests of a group. Open requests count as requests, and with no tokens yet."""

    group: tuple[str, ...]
    requests: int
    prompt: int
    completion: int
    reasoning: int
    cached: int


async def sums(
    connection: AsyncConnection, by: Sequence[Group], span: Span, organisation: str | None, project: str | None = None
) -> list[UsageRow]:
    """Grouped by `by`, in its order; of one organisation or of all."""
    columns: list[ColumnElement[str]] = [func.coalesce(getattr(LedgerRow, name), "open") for name in by]
    counted = (LedgerRow.prompt, LedgerRow.completion, LedgerRow.reasoning, LedgerRow.cached)
    wanted = select(*columns, func.count(), *(func.coalesce(func.sum(one), 0) for one in counted))
    if span.since:
        wanted = wanted.where(LedgerRow.day >= span.since)
    if span.until:
        wanted = wanted.where(LedgerRow.day <= span.until)
    if organisation is not None:
        wanted = wanted.where(LedgerRow.organisation == organisation)
    if project is not None:
        wanted = wanted.where(LedgerRow.project == project)
    places = range(1, len(by) + 1)
    rows = await connection.execute(wanted.group_by(*columns).order_by(*columns) if places else wanted)
    return [UsageRow(tuple(row[: len(by)]), *map(int, row[len(by) :])) for row in rows]


def as_csv(by: Sequence[Group], rows: Sequence[UsageRow]) -> str:
    """With a header line. A cell that a spreadsheet would take for a formula gets an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*by, "requests", "prompt", "completion", "reasoning", "cached"])
    for row in rows:
        cells = [f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell for cell in row.group]
        writer.writerow([*cells, row.requests, row.prompt, row.completion, row.reasoning, row.cached])
    return text.getvalue()
