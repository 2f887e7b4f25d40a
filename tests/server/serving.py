"""A whole server for tests: the application on a socket of this machine, its database in a folder."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from axk1.server.access import Caller, Gate, OpenGate
from axk1.server.app import create_app
from axk1.server.calls import Provider
from axk1.server.errors import unauthorized
from axk1.server.gateway import Gateway
from axk1.server.parts import Parts
from axk1.server.settings import DatabaseSettings, ServeSettings
from axk1.server.store.database import Base, open_database
from server.played import PlayedProvider


class NamedGate(OpenGate):
    """A key is its project's name: "key-blue" belongs to the project "blue"."""

    async def identify(self, key: str | None) -> Caller:
        if key is None or not key.startswith("key-"):
            raise unauthorized("send a key")
        return Caller(key, "house", key.removeprefix("key-"))


@contextlib.asynccontextmanager
async def parts_in(
    folder: Path, provider: Provider | None = None, gate: Gate | None = None, settings: ServeSettings | None = None
) -> AsyncIterator[Parts]:
    """What routers are given, with all tables made; the database is closed at the end."""
    settings = replace(settings or ServeSettings(), folder=folder)
    database = open_database(DatabaseSettings(), folder)
    async with database.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    provider = provider or PlayedProvider()
    try:
        yield Parts(Gateway({provider.card.name: provider}, gate or NamedGate()), settings, database, time.time())
    finally:
        await database.dispose()


@contextlib.contextmanager
def listening(app_of: "AppOf") -> Iterator[str]:
    """The URL of a server that runs in a thread; `app_of` makes the application inside its event loop."""
    leave = threading.Event()
    failed: list[BaseException] = []
    door = socket.create_server(("127.0.0.1", 0))  # who comes early waits here

    async def serve() -> None:
        async with app_of() as app:
            server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
            running = asyncio.create_task(server.serve(sockets=[door]))
            await asyncio.to_thread(leave.wait)
            server.should_exit = True
            await running

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001
            failed.append(error)
            door.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        leave.set()
        thread.join(20)
    assert not failed, failed


class AppOf:
    """Makes the whole application in a folder."""

    def __init__(self, folder: Path, provider: Provider | None = None, settings: ServeSettings | None = None) -> None:
        self.folder, self.provider, self.settings = folder, provider, settings

    @contextlib.asynccontextmanager
    async def __call__(self) -> AsyncIterator[FastAPI]:
        async with parts_in(self.folder, self.provider, settings=self.settings) as parts:
            yield create_app(parts)
