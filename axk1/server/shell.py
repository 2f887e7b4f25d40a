"""What stands around every request, in plain ASGI: its name, its limits, who leaves early, one line in the log."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from axk1.server.errors import ApiError, overloaded, told
from axk1.server.settings import LimitSettings

__all__ = ["ServerState", "Shell"]

_access = logging.getLogger("axk1.access")
_ALWAYS = frozenset({"/health", "/ready", "/metrics"})  # answered whatever the load
_UPLOADS = "/v1/files"
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


@dataclass
class ServerState:
    """What the server is doing. `hosts` are the names by which it may be asked and of pages that may ask; None: any.
    The page of a stranger, also one that has made its own name point to this machine, must not reach a server that asks
    for no key."""

    ready: bool = False
    draining: bool = False
    running: int = 0
    hosts: frozenset[str] | None = None
    started: float = field(default_factory=time.time)


class Shell:
    """Around the application. A request has a name, `state.request_id`, which its reply carries as `x-request-id`, and
    `state.limits`."""

    def __init__(self, app: ASGIApp, limits: LimitSettings, state: ServerState) -> None:
        self._app, self._limits, self._state = app, limits, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan, which is passed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._limits)
        refused = self._refused(scope)
        if refused is not None:
            await exchange.refuse(refused)
        else:
            await self._run(scope, exchange)
        exchange.log()

    def _refused(self, scope: Scope) -> ApiError | None:
        headers = dict(scope["headers"])
        if self._state.hosts is not None and _host(headers.get(b"host", b"")) not in self._state.hosts:
            return ApiError(421, "this server answers by its own name only: use localhost", code="wrong_host")
        if self._state.hosts is not None and _from_elsewhere(headers.get(b"origin"), self._state.hosts):
            return ApiError(403, "no page of another site may ask this server", "permission_error", code="wrong_origin")
        if scope["path"] in _ALWAYS:
            return None
        if self._state.draining:
            return overloaded("the server stops: send the request again", 5)
        if self._state.running >= self._limits.most_at_once:
            return overloaded(f"{self._state.running} requests are under way, the most that may be: try again")
        length = headers.get(b"content-length", b"0")
        most = _most_bytes(scope, self._limits)
        if length.isdigit() and int(length) > most:
            return _too_large(most)
        return None

    async def _run(self, scope: Scope, exchange: _Exchange) -> None:
        self._state.running += 1
        task = asyncio.ensure_future(self._app(scope, exchange.receive, exchange.send))
        exchange.on_leave = task.cancel
        try:
            done, _ = await asyncio.wait({task}, timeout=self._limits.request_seconds)
            if not done:
                task.cancel()
                await asyncio.wait({task})
                most = self._limits.request_seconds
                await exchange.refuse(ApiError(504, f"no whole answer in {most:g} seconds", "server_error"))
            elif not task.cancelled() and (error := task.exception()) is not None:
                await exchange.refuse(told(error, scope["state"]["request_id"]))
        except asyncio.CancelledError:  # the server stops at once
            task.cancel()
            await asyncio.wait({task})
            raise
        finally:
            exchange.close()
            self._state.running -= 1


class _Exchange:
    """One request and its reply. While the answer is made, it is watched whether the client hangs up."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: LimitSettings) -> None:
        self._scope, self._receive, self._send, self._limits = scope, receive, send, limits
        self._most = _most_bytes(scope, limits)
        self._read = 0
        self._whole = False
        self._watch: asyncio.Task[Message] | None = None
        self._status = 0
        self._told = False  # the whole reply
        self._began = time.perf_counter()
        seconds = limits.request_seconds if scope["path"] == _UPLOADS else limits.body_seconds
        self._body_until = asyncio.get_running_loop().time() + seconds  # for all of it, however it is cut
        self._name = f"req_{uuid4().hex}"
        scope.setdefault("state", {}).update(request_id=self._name, limits=limits)
        self.present = True
        self.on_leave: Callable[[], object] | None = None

    async def receive(self) -> Message:
        """The body, within its size and time; then the hang-up."""
        if self._watch is not None:
            return await asyncio.shield(self._watch)
        if self._whole:
            self._begin_watch()
            assert self._watch is not None
            return await asyncio.shield(self._watch)
        try:
            async with asyncio.timeout_at(self._body_until):
                message = await self._receive()
        except TimeoutError as error:
            raise ApiError(408, "the request's body did not come in time") from error
        self._read += len(message.get("body", b""))
        if self._read > self._most:
            raise _too_large(self._most)
        if message["type"] == "http.disconnect":
            self.present = False
        if not message.get("more_body", False):
            self._whole = True
            self._begin_watch()
        return message

    async def send(self, message: Message) -> None:
        """The reply, with its name and the headers that every one has."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            present = {name for name, _ in message.get("headers", ())}
            added = [(b"x-request-id", self._name.encode()), *_SECURITY]
            message["headers"] = [*message.get("headers", ()), *(one for one in added if one[0] not in present)]
        self._told = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def refuse(self, error: ApiError) -> None:
        """An error in the form of the path, unless a reply has begun."""
        if self._status or not self.present:
            return
        anthropic = self._scope["path"].startswith("/v1/messages")
        body = json.dumps(error.anthropic(self._name) if anthropic else error.openai()).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
        await self.send({"type": "http.response.start", "status": error.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    def close(self) -> None:
        """The exchange is over."""
        if self._watch is not None:
            self._watch.cancel()

    def log(self) -> None:
        """One line: no key, no query, no text."""
        seconds = round(time.perf_counter() - self._began, 4)
        scope = self._scope
        line = {"request": self._name, "method": scope["method"], "path": scope["path"], "status": self._status}
        _access.info(json.dumps(line | {"seconds": seconds, "left": not self.present}))

    def _begin_watch(self) -> None:
        self._watch = asyncio.ensure_future(self._receive())
        self._watch.add_done_callback(self._left)

    def _left(self, watch: asyncio.Task[Message]) -> None:
        if self._told or watch.cancelled() or watch.exception() is not None:
            return
        if watch.result()["type"] == "http.disconnect":
            self.present = False
            if self.on_leave is not None:
                self.on_leave()


def _most_bytes(scope: Scope, limits: LimitSettings) -> int:
    return limits.upload_bytes + (1 << 20) if scope["path"] == _UPLOADS else limits.body_bytes


def _too_large(most: int) -> ApiError:
    return ApiError(413, f"the request's body is larger than {most} bytes, the most that is read", code="too_large")


def _from_elsewhere(origin: bytes | None, hosts: frozenset[str]) -> bool:
    """Whether a browser says that it asks for the page of another site; other clients name no origin."""
    return origin is not None and _host(origin.partition(b"://")[2]) not in hosts


def _host(header: bytes) -> str:
    """The name without its port."""
    name = header.decode("latin-1").lower()
    return name[: name.rfind(":")] if ":" in name and not name.endswith("]") else name
