"""What the tests of keys and ledger begin with: a migrated database, an organisation, a gate."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from axk1.server.access import Caller, Gate
from axk1.server.gateway import Gateway
from axk1.server.parts import Parts
from axk1.server.settings import DatabaseSettings, ServeSettings
from axk1.server.store.database import open_database
from axk1.server.store.migrate import migrate
from axk1.server.tenancy.administration import OPERATOR, Administration
from axk1.server.tenancy.gate import KeyedGate
from axk1.server.tenancy.people import KeyWish, NewKey
from server.played import PlayedProvider

NOW = 1_764_244_800.0  # 2025-11-27 12:00 UTC


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Party:
    database: AsyncEngine
    admin: Administration
    gate: KeyedGate
    organisation: str
    project: str
    clock: Clock

    async def key(self, wish: KeyWish | None = None) -> NewKey:
        return await self.admin.create_key(OPERATOR, self.project, wish or KeyWish("시험"))

    async def caller(self, wish: KeyWish | None = None) -> Caller:
        return await self.gate.identify((await self.key(wish)).secret)

    async def ledger(self) -> list[dict[str, Any]]:
        async with self.database.connect() as connection:
            rows = await connection.execute(text("SELECT * FROM ledger ORDER BY id"))
            return [dict(row) for row in rows.mappings()]


def parts_of(gate: Gate, database: AsyncEngine, folder: Path) -> Parts:
    """A server's parts around a played model."""
    return Parts(Gateway({"played": PlayedProvider()}, gate), ServeSettings(folder=folder), database, NOW)


@asynccontextmanager
async def party(url: str, folder: Path) -> AsyncIterator[Party]:
    database = open_database(DatabaseSettings(url), folder)
    await migrate(database)
    clock = Clock()
    gate = await KeyedGate.open(database, folder, clock)
    admin = Administration(database, gate.forget, clock)
    try:
        organisation = await admin.create_organisation(OPERATOR, "한빛")
        project = await admin.create_project(OPERATOR, organisation.id, "상담")
        yield Party(database, admin, gate, organisation.id, project.id, clock)
    finally:
        await gate.close()
        await database.dispose()
