"""A stream of events ends what it is made from, and is never silent for long."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from axk1.server.sse import QUIET, EventStream

SCOPE = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}}


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def test_who_leaves_before_the_first_frame_ends_the_answer() -> None:
    closed, begun = [], []

    async def frames() -> AsyncIterator[bytes]:
        begun.append(True)
        yield b"data: 1\n\n"

    async def close() -> None:
        closed.append(True)

    async def send(_message: Message) -> None:
        raise OSError

    with pytest.raises(ClientDisconnect):
        asyncio.run(EventStream(frames(), close=close)(SCOPE, never, send))
    assert (begun, closed) == ([], [True])


def test_silence_is_filled_between_the_first_frame_and_the_last() -> None:
    sent: list[Message] = []
    quiet = asyncio.Event()

    async def frames() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        await quiet.wait()
        yield b"data: 2\n\n"

    async def send(message: Message) -> None:
        sent.append(message)
        if message.get("body") == QUIET:
            quiet.set()

    async def answer() -> None:
        await EventStream(frames(), silence=0.001)(SCOPE, never, send)
        count = len(sent)
        for _ in range(10):
            await asyncio.sleep(0.001)
        assert len(sent) == count

    asyncio.run(answer())
    bodies = [one["body"] for one in sent[1:]]
    assert bodies[0] == b"data: 1\n\n"
    assert bodies[-2:] == [b"data: 2\n\n", b""]
    assert set(bodies[1:-2]) == {QUIET}


def test_an_answer_is_closed_to_its_end_also_when_it_is_cancelled_twice() -> None:
    closed: list[bool] = []

    async def frames() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        await asyncio.Event().wait()

    async def close() -> None:
        await asyncio.sleep(0.02)
        closed.append(True)

    async def send(_message: Message) -> None: ...

    async def play() -> None:
        reply = asyncio.create_task(EventStream(frames(), close=close)(SCOPE, never, send))
        for _ in range(2):
            await asyncio.sleep(0.005)
            reply.cancel()
        await asyncio.wait({reply})
        await asyncio.sleep(0.05)

    asyncio.run(play())
    assert closed == [True]
