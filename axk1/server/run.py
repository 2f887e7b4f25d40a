"""A server from its first moment to its last: the port opens at once, the model follows; at the end running answers are
finished or told."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import FrameType

import uvicorn
import uvloop
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp, Receive, Scope, Send

from axk1.server.access import Gate, OpenGate
from axk1.server.app import create_app
from axk1.server.calls import Provider
from axk1.server.errors import overloaded
from axk1.server.gateway import Gateway
from axk1.server.health import reply_of
from axk1.server.metrics import Metrics
from axk1.server.parts import Parts
from axk1.server.settings import ServeSettings
from axk1.server.shell import ServerState
from axk1.server.store.database import open_database
from axk1.server.store.migrate import migrate
from axk1.server.tenancy.administration import Administration
from axk1.server.tenancy.gate import KeyedGate
from axk1.server.tenancy.listen import may_listen

__all__ = ["OpenModels", "run"]

OpenModels = Callable[[], Mapping[str, Provider]]
"""Opens the models, which may take minutes; called in a thread."""

_log = logging.getLogger(__name__)
_TOLD_SECONDS = 5.0  # for clients to read that their answer was broken off
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def run(settings: ServeSettings, open_models: OpenModels, ready: Callable[[str], None]) -> None:
    """Serves until it is told to stop; `ready` gets the server's address once models answer.

    ValueError, OSError and what `open_models` raises, for a server that cannot begin.
    """
    door = _door(settings)
    try:
        with _signals_end_quietly(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, open_models, ready, door))
    finally:
        door.close()


def _door(settings: ServeSettings) -> socket.socket:
    """OSError in words for a port that is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((settings.host, settings.port))
        door.listen(2048)
    except OSError as error:
        door.close()
        where = f"{settings.host}:{settings.port}"
        raise ValueError(f"cannot listen on {where}: {error.strerror or error}; choose another --port") from error
    return door


@contextlib.contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """uvicorn raises the signal that stopped it once more when all is done: that is no failure. While a model opens,
    which no thread can be kept from, its handler is gone after the first signal: a further one ends the process."""
    count = itertools.count()

    def heard(number: int, _frame: FrameType | None) -> None:
        if next(count):
            os._exit(128 + number)

    before = {one: signal.signal(one, heard) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


async def _serve(
    settings: ServeSettings, open_models: OpenModels, ready: Callable[[str], None], door: socket.socket
) -> None:
    settings.folder.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.database, settings.folder)
    try:
        await migrate(database)
        keys = settings.keys and await Administration(database).keys_exist()
        may_listen(settings.host, keys)
        state = ServerState(hosts=None if settings.keys else _LOOPBACK | {settings.host.lower()})
        doorway = _Doorway(state)
        server = _Server(_config(doorway, settings), state, settings.limits.grace_seconds)
        serving = asyncio.create_task(server.serve([door]))
        try:
            await _open(settings, database, state, doorway, server, serving, open_models, ready, door)
        finally:
            server.should_exit = True
            await serving
    finally:
        await database.dispose()


def _config(doorway: _Doorway, settings: ServeSettings) -> uvicorn.Config:
    return uvicorn.Config(
        doorway,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.limits.grace_seconds + _TOLD_SECONDS) + 1,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=64 << 10,
    )


async def _open(
    settings: ServeSettings,
    database: AsyncEngine,
    state: ServerState,
    doorway: _Doorway,
    server: _Server,
    serving: asyncio.Task[None],
    open_models: OpenModels,
    ready: Callable[[str], None],
    door: socket.socket,
) -> None:
    opening = asyncio.create_task(asyncio.to_thread(open_models))
    await asyncio.wait({opening, serving}, return_when=asyncio.FIRST_COMPLETED)
    providers = await opening
    async with _gate(settings, database) as gate:
        gateway = Gateway(providers, gate, Metrics())
        server.gateway = gateway
        try:
            app = create_app(Parts(gateway, settings, database, time.time(), state))
            async with app.router.lifespan_context(app):
                doorway.app = app
                state.ready = True
                if not serving.done():
                    ready(_address(settings, door.getsockname()[1]))
                await serving
        finally:
            state.ready = False
            await gateway.close()


@contextlib.asynccontextmanager
async def _gate(settings: ServeSettings, database: AsyncEngine) -> AsyncIterator[Gate]:
    """Keys, limits and the ledger, where keys are asked for."""
    if not settings.keys:
        yield OpenGate()
        return
    keyed = await KeyedGate.open(database, settings.folder)
    try:
        yield keyed
    finally:
        await keyed.close()


def _address(settings: ServeSettings, port: int) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}"


class _Doorway:
    """What listens while the model is opened: alive, not ready. Then the application itself."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self.app: ASGIApp | FastAPI | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.app is not None:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            response = reply_of(scope["path"], self._state, overloaded("the model is being opened: wait a moment", 5))
            await response(scope, receive, send)


class _Server(uvicorn.Server):
    """Waits for running answers as long as grace allows, then has them end with an error that says why."""

    def __init__(self, config: uvicorn.Config, state: ServerState, grace: float) -> None:
        super().__init__(config)
        self._state, self._grace = state, grace
        self.gateway: Gateway | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal ends gently, the second at once."""
        if self.should_exit:
            self.force_exit = True
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Nothing new; what runs ends by itself or is ended."""
        self._state.draining = True
        telling = asyncio.create_task(self._break_off())
        try:
            await super().shutdown(sockets)
        finally:
            telling.cancel()

    async def _break_off(self) -> None:
        await asyncio.sleep(self._grace)
        if self.gateway is not None:
            _log.warning("%d answers did not end in %g seconds: broken off", self._state.running, self._grace)
            await self.gateway.close()
