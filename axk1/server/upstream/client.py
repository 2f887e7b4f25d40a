"""HTTP to one upstream: its address, its key, its time limits. Answers are bounded, redirects are not followed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from axk1.server.errors import ApiError, upstream_failed
from axk1.server.settings import UpstreamSettings
from axk1.server.upstream.failure import broken, of_status

__all__ = ["Client", "checked_url"]

_END_SECONDS = 0.2  # between [DONE] and the end of a reply
_LARGEST_ERROR = 64 << 10  # bytes of an error page that are read
_LARGEST_REPLY = 256 << 20  # bytes of a whole reply: prompt scores and embeddings are long


def checked_url(url: str) -> str:
    """The address without a slash at its end. ValueError for one that is not plain http or https."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"the upstream's URL is not one: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(
            "an upstream's URL begins with http:// or https:// and names a host, as http://10.0.0.5:8000/v1"
        )
    if "@" in parts.netloc:
        raise ValueError("an upstream's URL must not hold a password: put its key into an environment variable")
    if parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise ValueError("an upstream's URL ends with its path, usually /v1: no ? and no #")
    return url.rstrip("/")


class Client:
    """Requests to one upstream. `key` is sent as a bearer token if it is not empty."""

    def __init__(self, settings: UpstreamSettings, key: str) -> None:
        self._url = checked_url(settings.url)
        if key and not (key.isascii() and key.isprintable() and " " not in key):
            raise ValueError(f"the key in {settings.key_variable} holds characters that no key has")
        self.name = settings.name
        self._settings = settings
        host = urlsplit(self._url).netloc
        self.secrets = tuple(one for one in (key, self._url, host, urlsplit(self._url).hostname or "") if one)
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._http = httpx.AsyncClient(
            headers=headers,
            follow_redirects=False,
            trust_env=settings.environment_proxies,
            # reads have limits of their own here: the first byte may take minutes, a later one may not
            timeout=httpx.Timeout(None, connect=settings.connect_seconds, pool=settings.connect_seconds),
            limits=httpx.Limits(max_connections=settings.most_connections, max_keepalive_connections=64),
        )

    async def stream(self, path: str, body: bytes) -> httpx.Response:
        """A reply of server-sent events, of which nothing is read yet. ApiError."""
        response = await self._send("POST", path, body, self._settings.timeout_seconds)
        try:
            await self._check(response)
            kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
            if kind != "text/event-stream":
                raise upstream_failed(f"the upstream {self.name!r} answered with {kind[:40]!r}, not with a stream")
        except BaseException:
            await response.aclose()
            raise
        return response

    async def pieces(self, response: httpx.Response) -> AsyncIterator[bytes]:
        """The bytes of a stream as they come. ApiError when the next ones take too long or the connection breaks."""
        wait = self._settings.timeout_seconds
        data = response.aiter_bytes()
        try:
            while True:
                async with asyncio.timeout(wait):
                    piece = await anext(data, None)
                if piece is None:
                    return
                yield piece
                wait = self._settings.gap_seconds
        except TimeoutError as error:
            raise upstream_failed(f"the upstream {self.name!r} sent nothing for {wait:g} s", 504) from error
        except httpx.HTTPError as error:
            raise broken(self.name, error) from error

    async def finish(self, pieces: AsyncIterator[bytes]) -> None:
        """Reads a stream that says it is done to its very end, if that is near: the connection can be used again."""
        with contextlib.suppress(TimeoutError, ApiError):
            async with asyncio.timeout(_END_SECONDS):
                async for _ in pieces:
                    pass

    async def ask(self, method: str, path: str, body: object = None, seconds: float | None = None) -> dict[str, Any]:
        """A whole JSON object. `path` begins with "/" behind the address; "//" stands for the server's own root."""
        limit = self._settings.timeout_seconds if seconds is None else seconds
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        response = await self._send(method, path, data, limit)
        try:
            async with asyncio.timeout(limit):
                await self._check(response)
                raw = await _bounded(response, _LARGEST_REPLY)
        except TimeoutError as error:
            raise upstream_failed(f"the upstream {self.name!r} took more than {limit:g} s", 504) from error
        except httpx.HTTPError as error:
            raise broken(self.name, error) from error
        finally:
            await response.aclose()
        return self._object(raw)

    async def close(self) -> None:
        """Ends all connections."""
        await self._http.aclose()

    def _object(self, raw: bytes) -> dict[str, Any]:
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise upstream_failed(f"the upstream {self.name!r} sent no JSON object")
        return found

    async def _send(self, method: str, path: str, body: bytes | None, seconds: float) -> httpx.Response:
        url = self._url.removesuffix("/v1") + path[1:] if path.startswith("//") else self._url + path
        headers = {} if body is None else {"Content-Type": "application/json"}
        request = self._http.build_request(method, url, content=body, headers=headers)
        try:
            async with asyncio.timeout(seconds):
                return await self._http.send(request, stream=True)
        except TimeoutError as error:
            raise upstream_failed(f"the upstream {self.name!r} did not answer within {seconds:g} s", 504) from error
        except httpx.HTTPError as error:
            raise broken(self.name, error) from error

    async def _check(self, response: httpx.Response) -> None:
        if response.status_code == 200:
            return
        try:
            async with asyncio.timeout(self._settings.gap_seconds):
                body = await _bounded(response, _LARGEST_ERROR, cut=True)
        except (TimeoutError, httpx.HTTPError):
            body = b""
        headers: Mapping[str, str] = response.headers
        raise of_status(self.name, response.status_code, body, headers, self.secrets)


async def _bounded(response: httpx.Response, most: int, *, cut: bool = False) -> bytes:
    found = bytearray()
    async for piece in response.aiter_bytes():
        found += piece
        if len(found) > most:
            if cut:
                break
            raise ApiError(502, f"a reply of an upstream is longer than {most} bytes", "server_error")
    return bytes(found[:most])
