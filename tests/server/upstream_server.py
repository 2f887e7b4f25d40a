"""An upstream server that plays a script, byte by byte, on a real socket."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

RESET, HANG = object(), object()
Step = bytes | float | object
Script = Callable[["Asked"], Iterable[Step]]


@dataclass
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


def head(status: int = 200, kind: str = "text/event-stream", extra: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nConnection: close\r\n{extra}\r\n".encode()


def event(data: object, end: str = "\n\n") -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + end.encode()


def delta(content: str | None = None, finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    made = dict(more)
    if content is not None:
        made["content"] = content
    return {"choices": [{"index": index, "delta": made, "finish_reason": finish}]}


USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}
DONE = b"data: [DONE]\n\n"


def reply(*words: str) -> list[Step]:
    """A whole good stream."""
    return [head(), *(event(delta(word)) for word in words), event(delta(finish="stop")), event(USAGE), DONE]


def refusal(status: int, body: object, extra: str = "") -> list[Step]:
    return [head(status, "application/json", extra), json.dumps(body).encode()]


@dataclass
class PlayedUpstream:
    """`script` says what comes for a POST; `asked` keeps the requests, `left` counts clients that went early."""

    script: Script
    owner: str = "vllm"
    context: int | None = 4096
    model: str = "k1"
    healthy: bool = True
    asked: list[Asked] = field(default_factory=list)
    left: int = 0
    url: str = ""

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["PlayedUpstream"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            asked = await _read(reader)
            if asked is not None:
                await self._play(asked, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left += 1
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _play(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        steps = self._models() if asked.method == "GET" else self.script(asked)
        if asked.method == "POST":
            self.asked.append(asked)
        for step in steps:
            if step is RESET:
                raw = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return
            if step is HANG:
                await reader.read()  # until the client leaves
                self.left += 1
                return
            if isinstance(step, float):
                await asyncio.sleep(step)
                continue
            assert isinstance(step, bytes)
            writer.write(step)
            await writer.drain()
            await asyncio.sleep(0)

    def _models(self) -> list[Step]:
        if not self.healthy:
            return refusal(500, {"error": {"message": "ill"}})
        entry = {"id": self.model, "object": "model", "created": 1_760_000_000, "owned_by": self.owner}
        if self.context:
            entry["max_model_len"] = self.context
        return [head(200, "application/json"), json.dumps({"object": "list", "data": [entry]}).encode()]


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        raw = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = raw.rstrip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, path, headers, json.loads(body) if body else None)
