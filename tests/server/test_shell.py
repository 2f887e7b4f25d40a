"""What stands around every request, on real sockets: sizes, times, names, hang-ups, the end."""

import asyncio
import json
import time
from typing import Any

import pytest

from axk1.server.errors import overloaded
from axk1.server.settings import LimitSettings
from axk1.server.shell import ServerState, Shell

LIMITS = LimitSettings(body_bytes=1000, body_seconds=0.2, request_seconds=0.5, most_at_once=2)


class Wire:
    """One exchange with the shell, without a socket: what the client sends, and what it gets."""

    def __init__(self, app: Any, path: str = "/v1/x", headers: dict[str, str] | None = None, state: Any = None) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        raw = [(name.encode(), value.encode()) for name, value in ({"host": "localhost"} | (headers or {})).items()]
        self.scope = {"type": "http", "method": "POST", "path": path, "headers": raw, "query_string": b""}
        self.shell = Shell(app, LIMITS, state or ServerState(ready=True))

    async def run(self) -> None:
        await self.shell(self.scope, self.incoming.get, self._send)

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def error(self) -> dict[str, Any]:
        return dict(json.loads(self.sent[-1]["body"])["error"])

    def header(self, name: str) -> str:
        return dict(self.sent[0]["headers"]).get(name.encode(), b"").decode()


async def echo(_scope: Any, receive: Any, send: Any) -> None:
    """Reads the whole body and says how long it was."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


async def patient(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await asyncio.sleep(30)


def sent(*messages: dict[str, Any], app: Any = echo, **options: Any) -> Wire:
    async def play() -> Wire:
        wire = Wire(app, **options)
        for message in messages:
            wire.incoming.put_nowait(message)
        await wire.run()
        return wire

    return asyncio.run(play())


BODY = {"type": "http.request", "body": b"x" * 10, "more_body": False}


def test_a_request_has_a_name_of_ours_and_the_headers_that_every_reply_has() -> None:
    wire = sent(BODY, headers={"x-request-id": "evil\r\nset-cookie: a=b"})
    assert wire.status == 200
    assert wire.header("x-request-id").startswith("req_")
    assert wire.header("x-content-type-options") == "nosniff"


def test_a_body_that_is_too_long_is_refused_told_or_untold() -> None:
    told = sent(headers={"content-length": "1001"})
    assert (told.status, told.error["code"]) == (413, "too_large")
    untold = sent(*[{"type": "http.request", "body": b"x" * 600, "more_body": True}] * 2)
    assert untold.status == 413
    at_the_limit = sent({"type": "http.request", "body": b"x" * 1000, "more_body": False})
    assert at_the_limit.status == 200


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    assert sent({"type": "http.request", "body": b"x", "more_body": True}).status == 408


def test_a_body_that_drips_has_no_more_time_than_any_other() -> None:
    async def play() -> Wire:
        wire = Wire(echo)

        async def drip() -> None:
            for _ in range(40):
                wire.incoming.put_nowait({"type": "http.request", "body": b"x", "more_body": True})
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        await wire.run()
        dripping.cancel()
        return wire

    assert asyncio.run(play()).status == 408


def test_an_answer_that_takes_too_long_is_broken_off() -> None:
    wire = sent(BODY, app=patient)
    assert wire.status == 504


def test_a_fault_of_ours_is_told_by_the_requests_name_alone() -> None:
    async def broken(_scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("secret path")

    wire = sent(BODY, app=broken)
    assert wire.status == 500
    assert "secret" not in wire.error["message"]
    assert wire.header("x-request-id") in wire.error["message"]


def test_errors_have_the_form_of_their_path() -> None:
    async def refuses(_scope: Any, receive: Any, send: Any) -> None:
        raise overloaded("full")

    assert sent(BODY, app=refuses).error["code"] == "overloaded"
    assert sent(BODY, app=refuses, path="/v1/messages").error["type"] == "overloaded_error"


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("localhost:8000", 200), ("[::1]:8000", 200), ("evil.example", 421), ("localhost.evil", 421)],
)
def test_a_server_without_keys_answers_by_its_own_names_only(host: str, status: int) -> None:
    state = ServerState(ready=True, hosts=frozenset({"localhost", "[::1]"}))
    assert sent(BODY, headers={"host": host}, state=state).status == status


def test_there_is_a_most_at_once_but_for_the_health_check() -> None:
    state = ServerState(ready=True, running=2)
    full = sent(BODY, state=state)
    assert (full.status, full.header("retry-after")) == (503, "1")
    assert sent(BODY, state=state, path="/health").status == 200
    assert sent(BODY, state=ServerState(ready=True, draining=True)).status == 503


def test_who_hangs_up_ends_the_answer_at_once() -> None:
    ended: list[float] = []

    async def waits(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(time.perf_counter())

    async def play() -> float:
        wire = Wire(waits)
        wire.incoming.put_nowait(BODY)
        wire.incoming.put_nowait({"type": "http.disconnect"})
        began = time.perf_counter()
        await wire.run()
        return ended[0] - began

    assert asyncio.run(play()) < 0.3


def test_a_reply_that_is_told_is_not_broken_off_by_the_hang_up_behind_it() -> None:
    finished: list[bool] = []

    async def settles(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        await asyncio.sleep(0.01)
        finished.append(True)

    sent(BODY, {"type": "http.disconnect"}, app=settles)
    assert finished == [True]


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://localhost:8000", 200), ("http://[::1]:8000", 200), ("https://evil.example", 403), ("null", 403)],
)
def test_a_server_without_keys_does_nothing_for_a_page_from_elsewhere(origin: str, status: int) -> None:
    """Browsers send a form with a file to this machine without asking first: it would fill the disk."""
    state = ServerState(ready=True, hosts=frozenset({"localhost", "[::1]"}))
    assert sent(BODY, headers={"origin": origin}, state=state, path="/v1/files").status == status
    assert sent(BODY, headers={"origin": origin}).status == 200
