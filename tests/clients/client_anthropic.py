"""The official `anthropic` client: messages, stream, tools, thinking, counting, errors."""

import anthropic
import pytest
from conftest import Server

MESSAGES: list[anthropic.types.MessageParam] = [{"role": "user", "content": "거실 불을 켜 줘."}]
TOOL: anthropic.types.ToolParam = {
    "name": "light",
    "input_schema": {"type": "object", "properties": {"room": {"enum": ["거실", "안방"]}}, "required": ["room"]},
}


@pytest.fixture(scope="session")
def client(server: Server) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)


def test_message(client: anthropic.Anthropic, server: Server) -> None:
    found = client.messages.create(model=server.model, max_tokens=20, messages=MESSAGES)
    assert found.stop_reason in ("max_tokens", "end_turn")
    counted = client.messages.count_tokens(model=server.model, messages=MESSAGES)
    assert counted.input_tokens == found.usage.input_tokens + (found.usage.cache_read_input_tokens or 0)


def test_stream_with_tools(client: anthropic.Anthropic, server: Server) -> None:
    with client.messages.stream(
        model=server.model, max_tokens=80, messages=MESSAGES, tools=[TOOL], tool_choice={"type": "any"}
    ) as stream:
        last = stream.get_final_message()
    (used,) = [block for block in last.content if block.type == "tool_use"][:1]
    assert used.input["room"] in ("거실", "안방")  # type: ignore[index]


def test_thinking(client: anthropic.Anthropic, server: Server) -> None:
    found = client.messages.create(
        model=server.model, max_tokens=40, messages=MESSAGES, thinking={"type": "enabled", "budget_tokens": 8}
    )
    assert found.content[0].type == "thinking"


def test_errors(client: anthropic.Anthropic, server: Server) -> None:
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="nobody", max_tokens=20, messages=MESSAGES)
    with pytest.raises(anthropic.BadRequestError, match="2048"):
        client.messages.create(model=server.model, max_tokens=9999, messages=MESSAGES)
