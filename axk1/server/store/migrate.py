"""Brings a database to the tables of this version, in the process that needs them."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from axk1.server.store.database import exclusive

__all__ = ["migrate"]


async def migrate(database: AsyncEngine) -> None:
    """Upgrades to the newest revision in one transaction; a second server that starts meanwhile waits. ValueError for a
    database that a newer axk1 has written."""
    if database.dialect.name == "sqlite" and database.url.database:
        Path(database.url.database).parent.mkdir(parents=True, exist_ok=True)
    async with exclusive(database) as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    unknown = set(MigrationContext.configure(connection).get_current_heads()) - known
    if unknown:
        raise ValueError(
            f"the database has revision {', '.join(sorted(unknown))}, which a newer axk1 has written: "
            "install that version, or restore a backup"
        )
    command.upgrade(config, "head")
