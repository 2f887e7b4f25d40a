"""What went wrong, as an HTTP status and in the words that clients of the OpenAI API look for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ApiError", "bad_request", "not_found", "overloaded", "told", "unauthorized", "upstream_failed"]

_log = logging.getLogger(__name__)


@dataclass
class ApiError(Exception):
    """`message` is one line for the client: what is wrong and what to do. `param` names the field, `code` the case."""

    status: int
    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message

    def openai(self) -> dict[str, Any]:
        """The body that OpenAI's clients read."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": error}

    def anthropic(self, request_id: str) -> dict[str, Any]:
        """The body that Anthropic's clients read."""
        kind = _ANTHROPIC.get(self.status, "api_error" if self.status >= 500 else "invalid_request_error")
        return {"type": "error", "error": {"type": kind, "message": self.message}, "request_id": request_id}


_ANTHROPIC = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def bad_request(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """400: the request cannot be answered as it stands."""
    return ApiError(400, message, param=param, code=code)


def unauthorized(message: str) -> ApiError:
    """401: no key, or none that is known."""
    return ApiError(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})


def not_found(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """404."""
    return ApiError(404, message, param=param, code=code)


def overloaded(message: str, retry_after: int = 1) -> ApiError:
    """503: too much to do; the same request may succeed later."""
    return ApiError(503, message, "server_error", code="overloaded", headers={"Retry-After": str(retry_after)})


def upstream_failed(message: str, status: int = 502) -> ApiError:
    """502 or 504: another server, asked for the answer, did not give one."""
    return ApiError(status, message, "server_error", code="upstream_error")


def told(error: BaseException, request_id: str) -> ApiError:
    """An error as the client may see it. A fault of ours: the log has it whole, the client only its request's name."""
    if isinstance(error, ApiError):
        return error
    _log.error("%s failed", request_id, exc_info=error)
    return ApiError(500, f"the server failed on this request ({request_id})", "server_error")
