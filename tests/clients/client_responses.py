"""The Responses API through openai, litellm and langchain-openai: whole, stream, tools, structure, chain, errors."""

from typing import Any

import langchain_openai
import litellm
import openai
import pytest
from conftest import Server
from pydantic import BaseModel

ASKED: dict[str, Any] = {"input": "거실 불을 켜 줘.", "temperature": 0.8, "max_output_tokens": 200}
TOOL: Any = {
    "type": "function",
    "name": "light",
    "description": "불",
    "parameters": {
        "type": "object",
        "properties": {"warm": {"type": "boolean"}},
        "required": ["warm"],
        "additionalProperties": False,
    },
    "strict": False,
}


class Room(BaseModel):
    """What the JSON schema of a class becomes."""

    warm: bool


@pytest.fixture(scope="session")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def test_a_stream_is_kept_as_it_was_told(client: openai.OpenAI, server: Server) -> None:
    with client.responses.stream(model=server.model, **ASKED) as stream:
        told = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        rest = list(stream)
    last = client.responses.create(model=server.model, stream=True, **ASKED | {"temperature": 0})
    *_, ended = last
    assert not rest
    assert told
    assert client.responses.retrieve(ended.response.id).to_dict() == ended.response.to_dict()  # type: ignore[union-attr]


def test_tools_and_the_chain(client: openai.OpenAI, server: Server) -> None:
    first = client.responses.create(
        model=server.model, tools=[TOOL], tool_choice="required", parallel_tool_calls=False, **ASKED
    )
    calls = [item for item in first.output if item.type == "function_call"]
    assert {call.name for call in calls} == {"light"}
    outputs: list[Any] = [{"type": "function_call_output", "call_id": one.call_id, "output": "켰음"} for one in calls]
    second = client.responses.create(
        model=server.model, input=outputs, previous_response_id=first.id, tools=[TOOL], tool_choice="none"
    )
    listed = [item.type for item in client.responses.input_items.list(second.id, order="asc")]
    assert listed == ["message", *(item.type for item in first.output), *["function_call_output"] * len(calls)]
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)


def test_a_class_as_the_form(client: openai.OpenAI, server: Server) -> None:
    found = client.responses.parse(model=server.model, text_format=Room, **ASKED)
    assert found.output_parsed is not None


def test_reasoning_is_within_its_tokens(client: openai.OpenAI, server: Server) -> None:
    found = client.responses.create(model=server.model, reasoning={"effort": "low"}, **ASKED)
    assert found.usage is not None
    assert found.usage.output_tokens_details.reasoning_tokens > 0
    counted = client.responses.input_tokens.count(model=server.model, input=ASKED["input"], reasoning={"effort": "low"})
    assert counted.input_tokens == found.usage.input_tokens


def test_litellm(server: Server) -> None:
    found = litellm.responses(
        model=f"openai/{server.model}", api_base=f"{server.url}/v1", api_key="none", **ASKED | {"stream": False}
    )
    assert found.status in ("completed", "incomplete")
    stream = litellm.responses(
        model=f"openai/{server.model}", api_base=f"{server.url}/v1", api_key="none", **ASKED | {"stream": True}
    )
    assert [event.type for event in stream][-1] in ("response.completed", "response.incomplete")


def test_langchain(server: Server) -> None:
    chain = langchain_openai.ChatOpenAI(
        base_url=f"{server.url}/v1", api_key="none", model=server.model, max_retries=0, use_responses_api=True,
        max_tokens=200,
    )  # fmt: skip
    assert chain.invoke("거실 불을 켜 줘.").text
    assert "".join(chunk.text for chunk in chain.stream("거실 불을 켜 줘."))
    bound = chain.bind_tools([TOOL], tool_choice="light")
    assert bound.invoke("거실 불을 켜 줘.").tool_calls[0]["name"] == "light"


def test_errors(client: openai.OpenAI, server: Server) -> None:
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="nobody", input="안녕")
    with pytest.raises(openai.BadRequestError, match="2048"):
        client.responses.create(model=server.model, input="안녕", max_output_tokens=9999)
