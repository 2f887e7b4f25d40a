"""HTTP replies in Anthropic's form, errors included."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

import orjson
from fastapi import Request, Response
from sqlalchemy.exc import InterfaceError, OperationalError

from axk1.server.errors import ApiError
from axk1.server.tenancy.writer import away

__all__ = ["answered", "json_reply", "refused"]

_log = logging.getLogger(__name__)


async def answered(request: Request, make: Callable[[], Awaitable[Response]]) -> Response:
    """What `make` gives, or the error that it raises; both name the request."""
    try:
        response = await make()
    except ApiError as error:
        return refused(error, request)
    except (OperationalError, InterfaceError) as error:
        _log.warning("the database cannot be reached: %s", error)
        return refused(away(), request)
    response.headers["request-id"] = request.state.request_id
    return response


def refused(error: ApiError, request: Request) -> Response:
    """The reply that tells an error."""
    name = request.state.request_id
    return json_reply(error.anthropic(name), error.status, dict(error.headers) | {"request-id": name})


def json_reply(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Hangul stays readable."""
    return Response(orjson.dumps(body), status, headers, "application/json")
