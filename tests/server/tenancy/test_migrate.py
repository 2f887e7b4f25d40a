"""The tables that the migrations make are those of the models, on both databases."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

import axk1.server.store.batches
import axk1.server.store.files
import axk1.server.store.histories
import axk1.server.tenancy.tables
from axk1.server.settings import DatabaseSettings
from axk1.server.store.database import Base, open_database
from axk1.server.store.migrate import migrate

assert axk1.server.tenancy.tables.Key.metadata is Base.metadata

START = """
import asyncio, sys
from pathlib import Path
from axk1.server.settings import DatabaseSettings
from axk1.server.store.database import open_database
from axk1.server.store.migrate import migrate
sys.stdin.readline()
asyncio.run(migrate(open_database(DatabaseSettings(sys.argv[1]), Path("."))))
"""


def _differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))


def test_models_and_migrations_agree(url: str, tmp_path: Path) -> None:
    async def check() -> None:
        database = open_database(DatabaseSettings(url), tmp_path)
        await migrate(database)
        await migrate(database)  # a second start changes nothing
        async with database.connect() as connection:
            assert await connection.run_sync(_differences) == []
        await database.dispose()

    asyncio.run(check())


def test_a_database_of_a_newer_version_is_refused(url: str, tmp_path: Path) -> None:
    async def check() -> None:
        database = open_database(DatabaseSettings(url), tmp_path)
        await migrate(database)
        async with database.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(ValueError, match="revision 9999, which a newer axk1 has written"):
            await migrate(database)
        await database.dispose()

    asyncio.run(check())


def test_two_servers_that_start_at_once_migrate_once(url: str) -> None:
    command = [sys.executable, "-c", START, url]
    servers = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for server in servers:
        assert server.stdin
        server.stdin.write("go\n")
        server.stdin.flush()
    assert [(server.communicate()[1], server.returncode) for server in servers] == [("", 0)] * 2
