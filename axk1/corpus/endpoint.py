"""POST to an OpenAI-compatible endpoint: tries with growing waits, and a key that stands nowhere but in its header."""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from http.client import HTTPException
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from axk1.corpus.streams import CorpusError

__all__ = ["Endpoint", "EndpointError", "post"]

T = TypeVar("T")

_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_MOST_BYTES = 64 << 20  # of a reply
_DETAIL = 200  # characters of what the endpoint says of an error


@dataclass(frozen=True)
class Endpoint:
    """Where a model answers, and how patiently it is asked."""

    url: str  # up to and with /v1
    key_variable: str = ""  # the environment variable that holds the endpoint's key; "" = no key
    tries: int = 4
    first_wait: float = 1.0  # seconds before the second try; doubles with every further one
    longest_wait: float = 120.0  # seconds; an endpoint that asks for more (Retry-After) is asked no more
    timeout: float = 300.0  # seconds without a byte after which a try has failed

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url must begin with http:// or https://, found {self.url!r}")
        for name in ("tries", "timeout"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, found {getattr(self, name)}")


class EndpointError(CorpusError):
    """No usable answer; `status` is that of HTTP, 0 when there was none. The message never holds the key."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


def post(
    endpoint: Endpoint,
    path: str,
    body: Mapping[str, Any],
    read: Callable[[Any], T],
    stop: threading.Event | None = None,
) -> T:
    """The reply to `body` at url + path, as `read` takes it from its JSON.

    Asked again: an overloaded or failing endpoint, a timeout, a reply that is cut short or that `read` finds misshapen
    (KeyError, TypeError, ValueError). Final: every other status, redirects too, and a CorpusError of `read`. `stop`,
    once set, ends the waiting. Raises EndpointError; CorpusError for a key that is missing.
    """
    url, key = endpoint.url.rstrip("/") + path, _key(endpoint)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    data = json.dumps(body, ensure_ascii=False).encode("utf-8")
    stop, wait = stop or threading.Event(), endpoint.first_wait
    for attempt in range(1, endpoint.tries + 1):
        try:
            with _opener().open(Request(url, data, headers), timeout=endpoint.timeout) as reply:
                return read(json.loads(reply.read(_MOST_BYTES)))
        except CorpusError:
            raise
        except (OSError, HTTPException, ValueError, KeyError, TypeError, IndexError) as error:
            status = error.code if isinstance(error, HTTPError) else 0
            asked = _asked_wait(error)
            final = (status and status not in _AGAIN) or attempt == endpoint.tries or asked > endpoint.longest_wait
            if final or stop.is_set():
                what = f"{error}{_detail(error, key)}" or type(error).__name__
                message = f"{url}: no answer after {attempt} {'try' if attempt == 1 else 'tries'} ({what})"
                raise EndpointError(message, status) from error
        stop.wait(max(asked, min(wait * _jitter(data, attempt), endpoint.longest_wait)))
        wait *= 2
    raise AssertionError("tries is above 0")


def _key(endpoint: Endpoint) -> str:
    """From the environment. It is looked at here, since an error of the HTTP library would quote it."""
    if not endpoint.key_variable:
        return ""
    key = os.environ.get(endpoint.key_variable, "").strip()
    if not key:
        raise CorpusError(f"{endpoint.url}: the environment variable {endpoint.key_variable} holds no key")
    if not (key.isascii() and key.isprintable()):
        raise CorpusError(f"{endpoint.url}: what {endpoint.key_variable} holds cannot be a key")
    return key


def _opener() -> OpenerDirector:
    """The library's own but for redirects, which would carry the key to wherever they lead."""
    opener = OpenerDirector()
    for handler in (ProxyHandler, HTTPHandler, HTTPSHandler, HTTPErrorProcessor, HTTPDefaultErrorHandler):
        opener.add_handler(handler())
    return opener


def _asked_wait(error: BaseException) -> float:
    """Seconds that the endpoint asks to wait: Retry-After, as a number or a date; 0 when it asks for nothing."""
    value = error.headers.get("Retry-After", "") if isinstance(error, HTTPError) else ""
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0


def _detail(error: BaseException, key: str) -> str:
    """What the endpoint says of its error, without the key if it quotes it."""
    if not isinstance(error, HTTPError):
        return ""
    try:
        said = " ".join(error.read(4 * _DETAIL).decode("utf-8", "replace").split())
    except OSError:
        return ""
    said = said.replace(key, "***") if key else said
    return f": {said[:_DETAIL]}" if said else ""


def _jitter(data: bytes, attempt: int) -> float:
    """From 0.75 to 1.25, by the request: those that failed together do not come back together."""
    digest = blake2b(data, digest_size=2, salt=bytes([attempt % 256])).digest()
    return 0.75 + int.from_bytes(digest, "big") / (1 << 17)
