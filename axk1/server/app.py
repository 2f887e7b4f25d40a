"""The ASGI application: every front's routes on one gateway."""

from __future__ import annotations

import logging
from collections.abc import Callable

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException

from axk1 import __version__
from axk1.server import health, metrics
from axk1.server.anthropic import routes as messages
from axk1.server.batches import routes as batches
from axk1.server.errors import ApiError
from axk1.server.files import routes as files
from axk1.server.histories import routes as histories
from axk1.server.openai import chat, completions, embeddings, models, tokens
from axk1.server.openai.strict import refusal
from axk1.server.parts import Parts
from axk1.server.responses import routes as responses
from axk1.server.shell import Shell
from axk1.server.tenancy import api as tenancy
from axk1.server.tenancy import office
from axk1.server.tenancy.writer import away
from axk1.server.web import routes as web

__all__ = ["create_app"]

_log = logging.getLogger(__name__)

# A front is a module with a function `router(parts)`. Each is added here.
ROUTERS: tuple[Callable[[Parts], APIRouter], ...] = (
    chat.router,
    completions.router,
    embeddings.router,
    models.router,
    tokens.router,
    files.router,
    batches.router,
    histories.router,
    messages.router,
    responses.router,
    tenancy.router,
    office.pages,
    health.router,
    metrics.router,
    web.router,
)


def create_app(parts: Parts) -> FastAPI:
    """Everything that listens, but no socket yet."""
    app = FastAPI(title="axk1", version=__version__, docs_url=None, redoc_url=None)
    for router in ROUTERS:
        app.include_router(router(parts))
    app.add_exception_handler(ApiError, _refused)
    app.add_exception_handler(RequestValidationError, _misshapen)
    app.add_exception_handler(HTTPException, _unrouted)
    for kind in (OperationalError, InterfaceError):
        app.add_exception_handler(kind, _without_database)

    app.add_middleware(Shell, limits=parts.settings.limits, state=parts.state)
    return app


async def _misshapen(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return await _refused(request, refusal(error))


async def _unrouted(request: Request, error: Exception) -> JSONResponse:
    """404 and 405 of the router itself."""
    assert isinstance(error, HTTPException)
    what = f"{request.method} {request.url.path}: {str(error.detail).lower()}"
    code = "method_not_allowed" if error.status_code == 405 else None
    return await _refused(request, ApiError(error.status_code, what, code=code, headers=error.headers or {}))


async def _without_database(request: Request, error: Exception) -> JSONResponse:
    _log.warning("the database cannot be reached: %s", error)
    return await _refused(request, away())


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return JSONResponse(error.openai(), error.status, dict(error.headers))
