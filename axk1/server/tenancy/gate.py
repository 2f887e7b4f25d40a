"""The real gate: keys from the database, limits and the ledger by one writer, and the servers' signs of life."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Insert, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from axk1.server.access import Caller, Outcome, Ticket
from axk1.server.calls import Usage
from axk1.server.errors import unauthorized
from axk1.server.store.database import exclusive
from axk1.server.tenancy.journal import Journal, orphans
from axk1.server.tenancy.keys import id_of, is_key
from axk1.server.tenancy.ledger import Admission, Settlement, key_refusal, open_rows, write
from axk1.server.tenancy.tables import Instance, Key
from axk1.server.tenancy.writer import AWAY, Writer, away

__all__ = ["KeyedGate"]

_KNOWN_SECONDS = 5.0  # how long a key that was seen is trusted without a look; admissions always look
_MOST_KNOWN = 10_000
_BEAT_SECONDS = 5.0
_DEAD_LOOKS = 12  # in a row that find no beat; looks, not seconds: while the database is away nobody can beat

_log = logging.getLogger(__name__)


class KeyedGate:
    """`Gate` with keys. Made by `open`, ended by `close`; `folder` is this machine's, the database may be shared."""

    def __init__(self, database: AsyncEngine, journal: Journal, clock: Callable[[], float]) -> None:
        self.database = database
        self._journal = journal
        self._clock = clock
        self._writer = Writer(database, journal)
        self._known: dict[bytes, tuple[Caller, float]] = {}
        self._beats: dict[str, tuple[int, int]] = {}
        self._pulse = asyncio.create_task(self._beat(), name="heartbeat")

    @classmethod
    async def open(cls, database: AsyncEngine, folder: Path, clock: Callable[[], float] = time.time) -> KeyedGate:
        """Registers this server, and ends what dead servers of the same folder have left open."""
        journals = folder / "journal"
        await _bury(database, journals, clock())
        journal = Journal(journals / f"{secrets.token_hex(8)}.jsonl")
        async with exclusive(database) as connection:
            await connection.execute(_registered(journal, clock()))
        return cls(database, journal, clock)

    async def identify(self, key: str | None) -> Caller:
        """401 for no key, an unknown, a revoked or an expired one; 503 while the database is away."""
        if not key:
            raise unauthorized("an API key is needed: send it as 'Authorization: Bearer axk1-…'")
        name = hashlib.sha256(key.encode()).digest()
        known = self._known.get(name)
        if known and time.monotonic() < known[1]:
            return known[0]
        caller = await self._look(key)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[name] = (caller, time.monotonic() + _KNOWN_SECONDS)
        return caller

    def forget(self) -> None:
        """Looks at every key again: one was revoked or changed."""
        self._known.clear()

    async def admit(self, caller: Caller, request_id: str, endpoint: str, model: str, tokens: int) -> Ticket:
        """As `Gate.admit`; 401 for a key that was revoked a moment ago, 503 while the database is away."""
        instance = self._journal.instance
        return await self._writer.admit(Admission(request_id, instance, caller, endpoint, model, tokens, self._clock()))

    async def settle(self, ticket: Ticket, usage: Usage, outcome: Outcome) -> None:
        """As `Gate.settle`."""
        await self._writer.settle(Settlement(ticket.id, usage, outcome, self._clock()))

    async def close(self) -> None:
        """When no request is under way any more."""
        self._pulse.cancel()
        await asyncio.gather(self._pulse, return_exceptions=True)
        written = await self._writer.close()
        if written:
            async with exclusive(self.database) as connection:
                await connection.execute(delete(Instance).where(Instance.id == self._journal.instance))
        self._journal.close(remove=written)

    async def _look(self, key: str) -> Caller:
        try:
            async with self.database.connect() as connection:
                row = (await connection.execute(select(*Key.__table__.c).where(Key.id == (id_of(key) or "")))).first()
        except AWAY as error:
            raise away() from error
        if row is None or not is_key(key, row.digest):
            raise unauthorized("the API key is not known")
        refused = key_refusal(row, self._clock())
        if refused:
            raise refused
        return Caller(row.id, row.organisation, row.project, row.role, row.system)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            try:
                await self.look_around()
            except AWAY as error:
                _log.debug("no heartbeat: %s", error)

    async def look_around(self) -> None:
        """Shows that this server lives, and ends what servers without a beat for a minute of looks have left open."""
        async with self.database.begin() as connection:
            mine = Instance.id == self._journal.instance
            beaten = await connection.execute(update(Instance).where(mine).values(beat=Instance.beat + 1))
            if not beaten.rowcount:  # this server was silent so long that another one took it for dead
                await connection.execute(_registered(self._journal, self._clock()))
            others = (await connection.execute(select(Instance.id, Instance.beat).where(~mine))).all()
        seen = {id_: self._beats.get(id_, (beat, 0)) for id_, beat in others}
        self._beats = {id_: (beat, seen[id_][1] + 1 if seen[id_][0] == beat else 0) for id_, beat in others}
        for id_ in [id_ for id_, (_, looks) in self._beats.items() if looks >= _DEAD_LOOKS]:
            async with exclusive(self.database) as connection:
                await _interrupt(connection, id_, self._clock())


def _registered(journal: Journal, now: float) -> Insert:
    return insert(Instance).values(id=journal.instance, started=now, beat=0)


async def _bury(database: AsyncEngine, journals: Path, now: float) -> None:
    """What dead servers of this folder knew is written; what they had under way is interrupted."""
    for journal in orphans(journals):
        with journal:
            async with exclusive(database) as connection:
                await write(connection, [], journal.read())
                await _interrupt(connection, journal.instance, now)


async def _interrupt(connection: AsyncConnection, instance: str, now: float) -> None:
    left = await open_rows(connection, instance)
    await write(connection, [], [Settlement(id_, Usage(), "interrupted", now) for id_ in left])
    await connection.execute(delete(Instance).where(Instance.id == instance))
