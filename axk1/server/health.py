"""Whether the server lives, and whether it can answer."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from axk1.server.errors import ApiError
from axk1.server.parts import Parts
from axk1.server.shell import ServerState

__all__ = ["reply_of", "router"]


def router(parts: Parts) -> APIRouter:
    """The routes; they need no key."""
    routes = APIRouter(tags=["operations"])

    @routes.get("/health")
    async def health() -> dict[str, str]:
        """The process lives."""
        return {"status": "ok"}

    @routes.get("/ready", responses={503: {"description": "Not yet, or no more."}})
    async def ready() -> Response:
        """Whether requests will be answered: no while a model is opened and when the server stops."""
        return _ready(parts.state)

    return routes


def reply_of(path: str, state: ServerState, otherwise: ApiError) -> Response:
    """What is said before there is an application."""
    if path == "/health":
        return JSONResponse({"status": "ok"})
    if path == "/ready":
        return _ready(state)
    return JSONResponse(otherwise.openai(), otherwise.status, dict(otherwise.headers))


def _ready(state: ServerState) -> Response:
    if state.ready and not state.draining:
        return JSONResponse({"status": "ready"})
    status = "stopping" if state.draining else "opening"
    return JSONResponse({"status": status}, 503, {"Retry-After": "1"})
