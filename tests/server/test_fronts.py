"""What every front does alike: a fault in a stream is told without details, limits are told, the ticket is settled."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from axk1.server.access import Caller, Outcome, Ticket
from axk1.server.app import create_app
from axk1.server.calls import Usage
from server.played import PlayedProvider
from server.played_scripts import script
from server.serving import AppOf, NamedGate, listening, parts_in

MESSAGES = [{"role": "user", "content": "fault"}]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(AppOf(tmp_path_factory.mktemp("serve"), PlayedProvider(script))) as found:
        yield found


FRONTS: list[tuple[str, dict[str, Any]]] = [
    ("chat/completions", {"messages": MESSAGES}),
    ("responses", {"input": "fault"}),
    ("messages", {"messages": MESSAGES, "max_tokens": 9}),
]


class NotingGate(NamedGate):
    """Tells limits, and notes how tickets end."""

    def __init__(self) -> None:
        self.ended: list[tuple[int, Outcome]] = []

    async def admit(self, caller: Caller, request_id: str, endpoint: str, model: str, tokens: int) -> Ticket:
        ticket = await super().admit(caller, request_id, endpoint, model, tokens)
        return replace(ticket, headers={"x-ratelimit-remaining-tokens": "7"})

    async def settle(self, ticket: Ticket, usage: Usage, outcome: Outcome) -> None:
        self.ended.append((usage.completion, outcome))


@pytest.mark.parametrize(("path", "asked"), FRONTS)
def test_a_fault_in_a_stream_is_told(
    url: str, path: str, asked: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"authorization": "Bearer key-blue"}
    with caplog.at_level(logging.ERROR):
        reply = httpx.post(f"{url}/v1/{path}", json={"model": "played", "stream": True, **asked}, headers=headers)
    assert "event: error\ndata: {" in reply.text
    assert f"the server failed on this request ({reply.headers['x-request-id']})" in reply.text
    assert "secret" not in reply.text
    assert "a secret of the house" in caplog.text


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("path", "asked"), FRONTS)
def test_limits_are_told_and_the_ticket_is_settled_once(
    tmp_path: Path, path: str, asked: dict[str, Any], stream: bool
) -> None:
    gate = NotingGate()
    body = {"model": "played", "stream": stream, **asked}

    async def ask() -> None:
        async with parts_in(tmp_path, PlayedProvider(), gate) as parts:
            transport = httpx.ASGITransport(create_app(parts))
            headers = {"authorization": "Bearer key-blue"}
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
                found = await client.post(f"/v1/{path}", json=body)
        assert found.status_code == 200
        assert found.headers["x-ratelimit-remaining-tokens"] == "7"
        assert '"temperature":' in found.headers["axk1-parameters"]

    asyncio.run(ask())
    assert gate.ended == [(1, "completed")]
