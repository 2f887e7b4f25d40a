"""The one database of a server: SQLite in its folder, or PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import MetaData, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from axk1.server.settings import DatabaseSettings

__all__ = ["Base", "exclusive", "open_database"]

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_LOCK = 0x61786B31  # "axk1": the advisory lock's number
_NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """All tables; constraints have names, so that migrations can change them."""

    metadata = MetaData(naming_convention=_NAMES)


def open_database(settings: DatabaseSettings, folder: Path) -> AsyncEngine:
    """ValueError for a URL that names no database of ours. Nothing is connected yet."""
    try:
        url = make_url(settings.url or f"sqlite:///{folder / 'axk1.sqlite3'}")
    except ArgumentError as error:
        raise ValueError("database.url is not a URL such as postgresql://user@host/name") from error
    if url.drivername.split("+")[0] not in _DRIVERS:
        raise ValueError(f"database.url must begin with sqlite or postgresql, not {url.drivername}")
    engine = create_async_engine(
        url.set(drivername=_DRIVERS[url.drivername.split("+")[0]]), pool_pre_ping=True, hide_parameters=True
    )
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _durable)
    return engine


@asynccontextmanager
async def exclusive(database: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that no other one begun here, in this process or another, runs beside; committed at the end.

    SQLite takes its write lock at once: what is read before a write is still true at the write. PostgreSQL takes an
    advisory lock, which needs no order among rows and so cannot deadlock."""
    async with database.begin() as connection:
        if database.dialect.name == "sqlite":
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        yield connection


def _durable(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
