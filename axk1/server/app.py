"""The ASGI application: every front's routes on one gateway."""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import uuid4

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.middleware.base import RequestResponseEndpoint

from axk1 import __version__
from axk1.server.anthropic import routes as messages
from axk1.server.batches import routes as batches
from axk1.server.errors import ApiError
from axk1.server.files import routes as files
from axk1.server.histories import routes as histories
from axk1.server.parts import Parts
from axk1.server.responses import routes as responses
from axk1.server.tenancy import api as tenancy
from axk1.server.tenancy import office
from axk1.server.tenancy.writer import away

__all__ = ["create_app"]

_log = logging.getLogger(__name__)

# A front is a module with a function `router(parts)`. Each is added here.
ROUTERS: tuple[Callable[[Parts], APIRouter], ...] = (
    files.router,
    batches.router,
    histories.router,
    messages.router,
    responses.router,
    tenancy.router,
    office.pages,
)


def create_app(parts: Parts) -> FastAPI:
    """Everything that listens, but no socket yet."""
    app = FastAPI(title="axk1", version=__version__)
    for router in ROUTERS:
        app.include_router(router(parts))
    app.add_exception_handler(ApiError, _refused)
    for kind in (OperationalError, InterfaceError):
        app.add_exception_handler(kind, _without_database)

    @app.middleware("http")
    async def name_request(request: Request, call_next: RequestResponseEndpoint) -> Response:
        request.state.request_id = f"req_{uuid4().hex}"
        response = await call_next(request)
        response.headers["x-request-id"] = request.state.request_id
        return response

    return app


async def _without_database(request: Request, error: Exception) -> JSONResponse:
    _log.warning("the database cannot be reached: %s", error)
    return await _refused(request, away())


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return JSONResponse(error.openai(), error.status, dict(error.headers))
