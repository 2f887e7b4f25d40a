"""What the OpenAPI page says of replies that are no plain object: errors and streams."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

__all__ = ["REFUSALS", "STREAMED", "ErrorBody", "ErrorReply"]


class ErrorBody(BaseModel):
    """What is wrong, in one line; the field it is about, if it is about one."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    """The body of every error."""

    error: ErrorBody


_MEANINGS = {
    400: "The request makes no sense as it stands.",
    401: "No key, or none that is known.",
    403: "The key may not do this.",
    404: "There is no such model or object.",
    413: "The request is too large.",
    429: "A rate limit or quota is used up.",
    500: "A fault of this server.",
    502: "The server behind this one failed.",
    503: "Too much to do, or not ready: try again later.",
    504: "The server behind this one did not answer in time.",
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorReply, "description": meaning} for status, meaning in _MEANINGS.items()
}
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The object, or with `stream` server-sent events that end with `[DONE]`.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/event-stream": {"schema": {"type": "string"}},
        },
    }
}
