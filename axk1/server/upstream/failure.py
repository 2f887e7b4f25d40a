"""What goes wrong with an upstream, in words for the client: never its address, its key or its pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from axk1.server.errors import ApiError, overloaded, upstream_failed

__all__ = ["CANNOT_BE_REACHED", "broken", "of_chunk", "of_status", "retry_after"]

_LONGEST = 1000  # characters of a message
_OURS = (400, 409, 413, 422)  # the client's own mistake, which the upstream names
_TYPES = {"invalid_request_error": 400, "rate_limit_error": 429}
CANNOT_BE_REACHED = "cannot_be_reached"


def of_status(name: str, status: int, body: bytes, headers: Mapping[str, str], secrets: tuple[str, ...]) -> ApiError:
    """The error of a reply that is no 200. `secrets` are left out of messages."""
    said = _said(body)
    if status in _OURS:
        message = _clean(said.get("message"), secrets) or f"the upstream {name!r} refuses the request"
        return ApiError(413 if status == 413 else 400, message, param=_text(said, "param"), code=_text(said, "code"))
    if status == 429:
        return _busy(name, headers)
    if status in (401, 403):
        return upstream_failed(f"the upstream {name!r} does not accept this server's key")
    if status == 404:
        return upstream_failed(f"the upstream {name!r} does not know the model or this kind of request")
    if status == 503:
        return overloaded(f"the upstream {name!r} is overloaded or not ready", retry_after(headers) or 1)
    if status in (408, 504):
        return upstream_failed(f"the upstream {name!r} took too long", 504)
    return upstream_failed(f"the upstream {name!r} failed (status {status})")


def of_chunk(name: str, chunk: Mapping[str, Any], secrets: tuple[str, ...]) -> ApiError | None:
    """The error that an event of a stream holds, if it is one: the status of the reply was 200 already."""
    error = chunk.get("error")
    if error is None and chunk.get("object") == "error":
        error = chunk
    if error is None:
        return None
    said = error if isinstance(error, dict) else {"message": error}
    return of_status(name, _status(said), json.dumps({"error": dict(said)}).encode(), {}, secrets)


def broken(name: str, error: httpx.HTTPError) -> ApiError:
    """The error of a connection."""
    if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError | httpx.UnsupportedProtocol):
        found = upstream_failed(f"the upstream {name!r} cannot be reached")
        found.code = CANNOT_BE_REACHED
        return found
    if isinstance(error, httpx.PoolTimeout):
        return overloaded(f"too many requests wait for the upstream {name!r}")
    if isinstance(error, httpx.TimeoutException):
        return upstream_failed(f"the upstream {name!r} took too long", 504)
    return upstream_failed(f"the upstream {name!r} broke off the connection")


def retry_after(headers: Mapping[str, str]) -> int | None:
    """Whole seconds, if the header says seconds; at most an hour."""
    value = headers.get("retry-after", "").strip()
    return max(1, min(int(value), 3600)) if value.isascii() and value.isdigit() and len(value) < 10 else None


def _status(said: Mapping[str, Any]) -> int:
    """vLLM puts the status into `code`; OpenAI and we say it by type."""
    code = said.get("code")
    if isinstance(code, int) and 400 <= code <= 599:
        return code
    return 503 if code == "overloaded" else _TYPES.get(str(said.get("type")), 500)


def _busy(name: str, headers: Mapping[str, str]) -> ApiError:
    wait = str(retry_after(headers) or 1)
    message = f"the upstream {name!r} takes no more requests for now: try again in {wait} s"
    return ApiError(429, message, "rate_limit_error", code="rate_limit_exceeded", headers={"Retry-After": wait})


def _said(body: bytes) -> Mapping[str, Any]:
    """The error object: in OpenAI's form, in the older one of vLLM, or FastAPI's `detail`."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    error = found.get("error", found)
    if isinstance(error, dict):
        return error if "message" in error else {"message": error.get("detail")}
    return {"message": error}


def _clean(message: object, secrets: tuple[str, ...]) -> str:
    if not isinstance(message, str):
        return ""
    for secret in secrets:
        message = message.replace(secret, "…")
    line = " ".join(message.split()).encode("utf-8", "ignore").decode()
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"


def _text(said: Mapping[str, Any], key: str) -> str | None:
    value = said.get(key)
    return value if isinstance(value, str) and len(value) <= 200 and value.isprintable() else None
