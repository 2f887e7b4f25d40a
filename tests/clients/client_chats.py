"""Through openai, litellm and langchain-openai: chat, stream, tools, JSON schema, scores, errors."""

import json
from typing import Any

import langchain_core.messages
import langchain_openai
import litellm
import openai
import pytest
from conftest import Server
from pydantic import BaseModel

MESSAGES: list[Any] = [{"role": "user", "content": "거실 불을 켜 줘."}]
SCHEMA = {"type": "object", "properties": {"room": {"enum": ["거실", "안방"]}}, "required": ["room"],
          "additionalProperties": False}  # fmt: skip
TOOLS: list[Any] = [{"type": "function", "function": {"name": "light", "description": "불", "parameters": SCHEMA}}]
CHEAP: dict[str, Any] = {"temperature": 0.8, "seed": 3, "max_tokens": 60}


class Room(BaseModel):
    """What the JSON schema of a class becomes."""

    warm: bool


@pytest.fixture(scope="session")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


@pytest.fixture(scope="session")
def chain(server: Server) -> Any:
    return langchain_openai.ChatOpenAI(
        base_url=f"{server.url}/v1", api_key="none", model=server.model, max_retries=0, **CHEAP
    )


def lite(server: Server, **fields: Any) -> Any:
    return litellm.completion(
        model=f"openai/{server.model}", api_base=f"{server.url}/v1", api_key="none", messages=MESSAGES, **CHEAP | fields
    )


def test_openai_chat_equals_its_stream(client: openai.OpenAI, server: Server) -> None:
    whole = client.chat.completions.create(
        model=server.model, messages=MESSAGES, logprobs=True, top_logprobs=2, **CHEAP
    )
    text = whole.choices[0].message.content
    scores = whole.choices[0].logprobs
    assert text
    assert "\ufffd" not in text
    assert scores is not None
    assert b"".join(bytes(one.bytes or ()) for one in scores.content or ()).decode() == text
    stream = client.chat.completions.create(model=server.model, messages=MESSAGES, stream=True, **CHEAP)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == text


def test_openai_tools_in_a_stream(client: openai.OpenAI, server: Server) -> None:
    fields = {"model": server.model, "messages": MESSAGES, "tools": TOOLS, "tool_choice": "required"} | CHEAP
    fields["parallel_tool_calls"] = False
    whole = client.chat.completions.create(**fields).choices[0]
    with client.chat.completions.stream(**fields) as stream:
        streamed = stream.get_final_completion().choices[0]
    assert whole.finish_reason == streamed.finish_reason == "tool_calls"
    (call,), (again,) = whole.message.tool_calls, streamed.message.tool_calls
    assert json.loads(call.function.arguments)["room"] in ("거실", "안방")
    assert call.function.arguments == again.function.arguments
    answer = [*MESSAGES, whole.message, {"role": "tool", "tool_call_id": call.id, "content": "켰음"}]
    assert client.chat.completions.create(**fields | {"messages": answer}).choices[0].message.tool_calls


def test_openai_parses_a_class(client: openai.OpenAI, server: Server) -> None:
    parsed = client.chat.completions.parse(model=server.model, messages=MESSAGES, response_format=Room, **CHEAP)
    assert isinstance(parsed.choices[0].message.parsed, Room)


def test_openai_responses(client: openai.OpenAI, server: Server) -> None:
    first = client.responses.create(model=server.model, input="거실 불", max_output_tokens=20)
    second = client.responses.create(
        model=server.model, input="다시", previous_response_id=first.id, max_output_tokens=20
    )
    assert second.previous_response_id == first.id
    assert second.usage is not None
    assert first.usage is not None
    assert second.usage.input_tokens > first.usage.input_tokens


def test_openai_errors(client: openai.OpenAI, server: Server) -> None:
    create = client.chat.completions.create
    with pytest.raises(openai.NotFoundError):
        create(model="nobody", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError, match="2048"):
        create(model=server.model, messages=MESSAGES, max_tokens=9999)


def test_litellm(server: Server) -> None:
    whole = lite(server).choices[0].message.content
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in lite(server, stream=True))
    assert whole == streamed
    called = lite(server, tools=TOOLS, tool_choice="required", parallel_tool_calls=False).choices[0]
    assert called.finish_reason == "tool_calls"
    assert json.loads(called.message.tool_calls[0].function.arguments)["room"] in ("거실", "안방")
    form = {"type": "json_schema", "json_schema": {"name": "room", "schema": SCHEMA, "strict": True}}
    assert json.loads(lite(server, response_format=form).choices[0].message.content)["room"] in ("거실", "안방")
    assert lite(server, logprobs=True, top_logprobs=1).choices[0].logprobs.content
    with pytest.raises(litellm.BadRequestError):
        lite(server, max_tokens=9999)


def test_langchain(chain: Any) -> None:
    question = [langchain_core.messages.HumanMessage("거실 불을 켜 줘.")]
    whole = chain.invoke(question)
    assert whole.usage_metadata["output_tokens"] > 0
    assert "".join(chunk.content for chunk in chain.stream(question)) == whole.content
    called = chain.bind_tools(TOOLS, tool_choice="required").invoke(question)
    assert called.tool_calls[0]["args"]["room"] in ("거실", "안방")
    assert isinstance(chain.with_structured_output(Room).invoke(question), Room)
    assert chain.bind(logprobs=True).invoke(question).response_metadata["logprobs"]["content"]
    with pytest.raises(openai.BadRequestError):
        chain.bind(max_tokens=9999).invoke(question)
