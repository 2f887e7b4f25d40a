"""A request of a batch through the same fronts as any other, inside this process, in its owner's name."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any, Self

import httpx
import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from axk1.server.access import Caller
from axk1.server.batches.lines import Line
from axk1.server.batches.partial import Result
from axk1.server.gateway import Gateway
from axk1.server.parts import ON_BEHALF

__all__ = ["Asker", "Lane", "Patience", "unanswered"]

_PAUSE = 0.05  # seconds until a full lane is looked at again


@dataclass(frozen=True)
class Patience:
    """Seconds until a request is asked again: doubled each time. What the server refuses for now (429, 503) is asked
    until the batch ends, what failed (500, 502, 504) so often."""

    first: float = 1.0
    most: float = 60.0
    failures: int = 3

    def seconds(self, tries: int, retry_after: str) -> float:
        """`retry_after`: the header, "" for none."""
        asked = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
        return min(self.most, max(asked, self.first * 2.0 ** min(tries, 16)))


class Lane:
    """How many requests of batches run at once: `most` while nobody else asks, one while somebody does."""

    def __init__(self, gateway: Gateway, most: int) -> None:
        self._gateway, self._most, self._running = gateway, most, 0

    async def __aenter__(self) -> Self:
        while self._running >= (1 if self._gateway.interactive else self._most):
            await asyncio.sleep(_PAUSE)
        self._running += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self._running -= 1


class Asker:
    """Asks the application `app` as `caller`. Close it."""

    def __init__(self, app: ASGIApp, caller: Caller, endpoint: str, lane: Lane, patience: Patience) -> None:
        async def on_behalf(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, ON_BEHALF: caller}, receive, send)

        transport = httpx.ASGITransport(on_behalf, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=None)
        self._endpoint, self._lane, self._patience = endpoint, lane, patience

    async def ask(self, line: Line) -> Result:
        """The answer, or the error that stays an error however often it is asked."""
        tries = 0
        while True:
            async with self._lane:
                reply = await self._client.post(
                    self._endpoint, content=line.body, headers={"Content-Type": "application/json"}
                )
            body = _body(reply)
            if not self._again(reply.status_code, body, tries):
                return _result(line, reply, body)
            await asyncio.sleep(self._patience.seconds(tries, reply.headers.get("retry-after", "")))
            tries += 1

    async def aclose(self) -> None:
        """Ends what still runs."""
        await self._client.aclose()

    def _again(self, status: int, body: dict[str, Any], tries: int) -> bool:
        if status in (429, 503):
            error = body.get("error")
            return not isinstance(error, dict) or error.get("code") != "insufficient_quota"
        return status in (500, 502, 504) and tries < self._patience.failures


def unanswered(line: Line, code: str, message: str) -> Result:
    """A line that nobody asked any more."""
    return Result(line.number, ok=False, record=_record(line, None, {"code": code, "message": message}))


def _result(line: Line, reply: httpx.Response, body: dict[str, Any]) -> Result:
    response = {
        "status_code": reply.status_code,
        "request_id": reply.headers.get("x-request-id", ""),
        "body": body,
    }
    return Result(line.number, ok=reply.is_success, record=_record(line, response, None))


def _record(line: Line, response: dict[str, Any] | None, error: dict[str, str] | None) -> dict[str, Any]:
    made = f"batch_req_{secrets.token_hex(16)}"
    return {"id": made, "custom_id": line.custom_id, "response": response, "error": error}


def _body(reply: httpx.Response) -> dict[str, Any]:
    """JSON of the front; one that broke down says so in plain text."""
    if reply.headers.get("content-type", "").startswith("application/json"):
        body = orjson.loads(reply.content)
        assert isinstance(body, dict), body
        return body
    error = {"message": "the server failed to answer", "type": "server_error", "param": None, "code": None}
    return {"error": error}
