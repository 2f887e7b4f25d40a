"""Admissions and settlements in the database, many in one transaction, each decided as if alone and in order."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from axk1.server.access import Caller, Outcome, Ticket
from axk1.server.calls import Usage
from axk1.server.errors import ApiError, unauthorized
from axk1.server.tenancy.book import Book
from axk1.server.tenancy.limits import Refusal, headers_of, windows
from axk1.server.tenancy.roles import ALLOWED, forbidden
from axk1.server.tenancy.tables import Key, LedgerRow

__all__ = ["Admission", "Settlement", "key_refusal", "open_rows", "write"]

_MINUTE = 60.0


@dataclass(frozen=True)
class Admission:
    """A request that wants to begin at the time `at`, using `tokens` at most (0: not known)."""

    id: str
    instance: str
    caller: Caller
    endpoint: str
    model: str
    tokens: int
    at: float


@dataclass(frozen=True)
class Settlement:
    """How a request ended. Of several for one request the first counts, but any other replaces "interrupted"."""

    id: str
    usage: Usage
    outcome: Outcome
    at: float


async def write(
    connection: AsyncConnection, admissions: Sequence[Admission], settlements: Sequence[Settlement]
) -> list[Ticket | ApiError]:
    """Settles, then admits in order; the answers to the admissions. `connection` must be in an `exclusive` transaction,
    so that what is read here stays true until it is committed."""
    ids = {one.id for one in admissions} | {one.id for one in settlements}
    rows = {
        row.id: row for row in await connection.execute(select(*LedgerRow.__table__.c).where(LedgerRow.id.in_(ids)))
    }
    ends = [one for one in _first_ends(settlements) if one.id in rows and _counts(one, rows[one.id])]
    keys = await _keys(connection, {one.caller.key_id for one in admissions})
    subjects = {subject for row in keys.values() for subject in _subjects(row, row.id)}
    subjects |= {subject for one in ends for subject in _subjects(rows[one.id], rows[one.id].key)}
    book = await Book.load(connection, subjects, {window for one in admissions for window in windows(one.at)})
    await _settle(connection, ends, rows, book)
    answers = _decide(_named(admissions, set(rows)), keys, book)
    await _record(connection, [one for one in answers if not isinstance(one, ApiError)], keys)
    await book.save(connection)
    return [one if isinstance(one, ApiError) else one[1] for one in answers]


async def open_rows(connection: AsyncConnection, instance: str) -> list[str]:
    """The ids of the requests of a server that have not ended."""
    wanted = select(LedgerRow.id).where(LedgerRow.outcome.is_(None), LedgerRow.instance == instance)
    return list((await connection.execute(wanted)).scalars())


def key_refusal(key: Row[Any] | None, now: float) -> ApiError | None:
    """401 for a key that is gone, revoked or expired."""
    if key is None:
        return unauthorized("the API key is not known")
    if key.revoked is not None:
        return unauthorized("the API key was revoked: ask your administrator for another")
    if key.expires is not None and key.expires <= now:
        return unauthorized("the API key has expired: ask your administrator for another")
    return None


def _first_ends(settlements: Iterable[Settlement]) -> list[Settlement]:
    first: dict[str, Settlement] = {}
    for one in settlements:
        if one.id not in first or first[one.id].outcome == "interrupted":
            first[one.id] = one
    return list(first.values())


def _counts(one: Settlement, row: Row[Any]) -> bool:
    return row.outcome is None or (row.outcome == "interrupted" and one.outcome != "interrupted")


def _subjects(row: Row[Any], key: str) -> tuple[str, str, str]:
    return row.organisation, row.project, key


async def _keys(connection: AsyncConnection, ids: Collection[str]) -> dict[str, Row[Any]]:
    if not ids:
        return {}
    return {row.id: row for row in await connection.execute(select(*Key.__table__.c).where(Key.id.in_(ids)))}


async def _settle(
    connection: AsyncConnection, ends: Sequence[Settlement], rows: Mapping[str, Row[Any]], book: Book
) -> None:
    if not ends:
        return
    values = []
    for one in ends:
        row, used = rows[one.id], one.usage.prompt + one.usage.completion
        book.change(_subjects(row, row.key), used - row.charged, row.started, ends=row.outcome is None)
        values.append({"row": one.id, "outcome": one.outcome, "finished": one.at, "charged": used, **vars(one.usage)})
    await connection.execute(update(LedgerRow).where(LedgerRow.id == bindparam("row")), values)


def _named(admissions: Iterable[Admission], taken: set[str]) -> list[Admission]:
    """A request that asks more than one model has a row for each: the later ones get a name of their own."""
    named = []
    for one in admissions:
        unique = one if one.id not in taken else replace(one, id=f"{one.id}.{secrets.token_hex(4)}")
        taken.add(unique.id)
        named.append(unique)
    return named


def _decide(
    admissions: Sequence[Admission], keys: Mapping[str, Row[Any]], book: Book
) -> list[tuple[Admission, Ticket] | ApiError]:
    answers: list[tuple[Admission, Ticket] | ApiError] = []
    for one in admissions:
        key = keys.get(one.caller.key_id)
        refused = key_refusal(key, one.at) or _not_allowed(key, one)
        if key is None or refused:
            answers.append(refused or unauthorized("the API key is not known"))
            continue
        subjects = _subjects(key, key.id)
        full = book.refusal(subjects, one.tokens, one.at)
        if full:
            answers.append(_too_many(full, one.tokens, headers_of(book.of(subjects))))
            continue
        book.take(subjects, one.tokens, one.at)
        headers = headers_of(book.of(subjects))
        answers.append((one, Ticket(one.id, one.caller, one.model, one.endpoint, one.tokens, headers)))
    return answers


def _not_allowed(key: Any, one: Admission) -> ApiError | None:
    models, endpoints = json.loads(key.models), json.loads(key.endpoints)
    if "use_models" not in ALLOWED[key.role]:
        return forbidden(f"a key with the role {key.role} may not use models")
    if models and one.model not in models:
        return forbidden(f"this key may not use the model {one.model!r}; it may use: {', '.join(models)}")
    if endpoints and one.endpoint not in endpoints:
        return forbidden(f"this key may not use {one.endpoint}; it may use: {', '.join(endpoints)}")
    return None


def _too_many(full: Refusal, tokens: int, headers: dict[str, str]) -> ApiError:
    asked = f"; this request may use up to {tokens}: ask for fewer with max_tokens" if "tokens" in full.what else ""
    message = f"the limit of {full.limit} {full.what} is reached{asked}"
    if full.seconds is not None:
        headers["Retry-After"] = str(max(1, ceil(full.seconds)))
        message += f"; try again in {headers['Retry-After']} s"
    code = "insufficient_quota" if full.quota else "rate_limit_exceeded"
    kind = code if full.quota else full.what.split(" ")[0]
    return ApiError(429, message, kind, code=code, headers=headers)


async def _record(
    connection: AsyncConnection, admitted: Sequence[tuple[Admission, Ticket]], keys: Mapping[str, Row[Any]]
) -> None:
    if not admitted:
        return
    values = [
        {
            "id": one.id,
            "instance": one.instance,
            "key": one.caller.key_id,
            "project": keys[one.caller.key_id].project,
            "organisation": keys[one.caller.key_id].organisation,
            "model": one.model,
            "endpoint": one.endpoint,
            "day": windows(one.at)[-1],
            "started": one.at,
            "charged": one.tokens,
            **vars(Usage()),
        }
        for one, _ in admitted
    ]
    await connection.execute(insert(LedgerRow), values)
    seen = {one.caller.key_id: one.at for one, _ in admitted}
    stale = [(id_, at) for id_, at in seen.items() if keys[id_].used is None or at - keys[id_].used >= _MINUTE]
    if stale:
        await connection.execute(
            update(Key).where(Key.id == bindparam("row")), [{"row": id_, "used": at} for id_, at in sorted(stale)]
        )
