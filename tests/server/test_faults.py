"""A fault of ours in the middle of a stream is told as an error without details, in the form of each front."""

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from server.played import PlayedProvider
from server.played_scripts import script
from server.serving import AppOf, listening

MESSAGES = [{"role": "user", "content": "fault"}]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(AppOf(tmp_path_factory.mktemp("serve"), PlayedProvider(script))) as found:
        yield found


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("chat/completions", {"messages": MESSAGES}),
        ("responses", {"input": "fault"}),
        ("messages", {"messages": MESSAGES, "max_tokens": 9}),
    ],
)
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
