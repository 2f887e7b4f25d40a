"""What the routers are given, and who asks: the two things that every front begins with."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncEngine

from axk1.server.access import Caller
from axk1.server.errors import ApiError
from axk1.server.gateway import Gateway, Origin
from axk1.server.settings import ServeSettings
from axk1.server.shell import ServerState

__all__ = ["ON_BEHALF", "Parts", "key_of", "origin_of"]

ON_BEHALF = "axk1.caller"
"""In the ASGI scope: the Caller for whom the server itself asks (a batch). What comes by network has headers only and
can put nothing there, so no key has to be kept to ask again later."""


@dataclass(frozen=True)
class Parts:
    """`database` is migrated already; `started` is when the server began, in seconds since 1970."""

    gateway: Gateway
    settings: ServeSettings
    database: AsyncEngine
    started: float
    state: ServerState = field(default_factory=lambda: ServerState(ready=True))

    async def caller(self, request: Request) -> Caller:
        """401 for a key that is missing or wrong."""
        known = request.scope.get(ON_BEHALF)
        if known is not None:
            assert isinstance(known, Caller)
            return known
        return await self.gateway.gate.identify(key_of(request))

    async def member(self, request: Request) -> Caller:
        """As `caller`; 403 for a viewer, who may read usage and nothing else."""
        found = await self.caller(request)
        if found.role == "viewer":
            raise ApiError(403, "a viewer's key may read usage only: use a member's", "permission_error")
        return found

    async def origin(self, request: Request) -> Origin:
        """Who asks, through which endpoint, under which id."""
        return origin_of(request, await self.caller(request))


def origin_of(request: Request, caller: Caller) -> Origin:
    """The request id is the one that the outermost layer has given it (`request.state.request_id`)."""
    return Origin(caller, request.url.path, request.state.request_id, ON_BEHALF in request.scope)


def key_of(request: Request) -> str | None:
    """The key of `Authorization: Bearer …` (OpenAI) or of `x-api-key` (Anthropic)."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return request.headers.get("x-api-key") or None
