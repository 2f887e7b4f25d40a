"""What the routers are given, and who asks: the two things that every front begins with."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncEngine

from axk1.server.access import Caller
from axk1.server.gateway import Gateway, Origin
from axk1.server.settings import ServeSettings

__all__ = ["Parts", "key_of", "origin_of"]


@dataclass(frozen=True)
class Parts:
    """`database` is migrated already; `started` is when the server began, in seconds since 1970."""

    gateway: Gateway
    settings: ServeSettings
    database: AsyncEngine
    started: float

    async def caller(self, request: Request) -> Caller:
        """401 for a key that is missing or wrong."""
        return await self.gateway.gate.identify(key_of(request))

    async def origin(self, request: Request) -> Origin:
        """Who asks, through which endpoint, under which id."""
        return origin_of(request, await self.caller(request))


def origin_of(request: Request, caller: Caller) -> Origin:
    """The request id is the one that the outermost layer has given it (`request.state.request_id`)."""
    return Origin(caller, request.url.path, request.state.request_id)


def key_of(request: Request) -> str | None:
    """The key of `Authorization: Bearer …` (OpenAI) or of `x-api-key` (Anthropic)."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return request.headers.get("x-api-key") or None
