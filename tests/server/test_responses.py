"""/v1/responses by OpenAI's client: chains, tools, structures, lists, and what is refused."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel
from sqlalchemy import inspect, text

from axk1.server.app import create_app
from axk1.server.calls import ChatCall, ToolChoice
from axk1.server.errors import bad_request
from axk1.server.settings import DatabaseSettings
from axk1.server.store.database import open_database
from axk1.server.store.migrate import migrate
from axk1.server.store.responses import ResponseRow
from server.played import PlayedProvider
from server.played_scripts import script
from server.serving import AppOf, listening, parts_in

TOOL: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "description": "날씨",
    "parameters": {"type": "object", "properties": {}},
    "strict": True,
}


def client_of(url: str, project: str = "blue") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=f"key-{project}", max_retries=0)


@pytest.fixture(scope="module")
def provider() -> PlayedProvider:
    return PlayedProvider(script)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, provider: PlayedProvider) -> Iterator[openai.OpenAI]:
    with listening(AppOf(tmp_path_factory.mktemp("serve"), provider)) as url, client_of(url) as made:
        yield made


def last_call(provider: PlayedProvider) -> ChatCall:
    call = provider.calls[-1]
    assert isinstance(call, ChatCall)
    return call


def said(provider: PlayedProvider) -> list[tuple[str, str]]:
    return [(one.role, one.content) for one in last_call(provider).messages]


def test_a_chain_survives_a_restart_and_stays_in_its_project(tmp_path: Path) -> None:
    with listening(AppOf(tmp_path)) as url, client_of(url) as client:
        first = client.responses.create(model="played", input="안녕", reasoning={"effort": "high"})
        assert (first.output_text, first.status) == ("안녕", "completed")
        assert [one.type for one in first.output] == ["reasoning", "message"]
    provider = PlayedProvider()
    with listening(AppOf(tmp_path, provider)) as url, client_of(url) as client, client_of(url, "red") as other:
        assert client.responses.retrieve(first.id).output == first.output
        client.responses.create(model="played", input="또", previous_response_id=first.id)
        assert said(provider) == [("user", "안녕"), ("assistant", "안녕"), ("user", "또")]
        assert last_call(provider).messages[1].reasoning_content == "흠, 그렇군."
        reference = {"type": "item_reference", "id": first.output[1].id}
        for refused in (
            lambda: other.responses.retrieve(first.id),
            lambda: other.responses.delete(first.id),
            lambda: other.responses.input_items.list(first.id),
            lambda: other.responses.create(model="played", input=[reference]),
            lambda: other.responses.create(model="played", input="또", previous_response_id=first.id),
        ):
            with pytest.raises(openai.NotFoundError):
                refused()
        client.responses.delete(first.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(first.id)


def test_tools_are_called_and_answered(client: openai.OpenAI, provider: PlayedProvider) -> None:
    first = client.responses.create(model="played", input="날씨", tools=[TOOL])
    calls = [one for one in first.output if one.type == "function_call"]
    assert [(one.call_id, json.loads(one.arguments)) for one in calls] == [("call_a", {"city": "서울"}), ("call_b", {})]
    assert first.tools[0].strict is True
    outputs = [{"type": "function_call_output", "call_id": one.call_id, "output": "맑음"} for one in calls]
    chained = client.responses.create(model="played", input=outputs, previous_response_id=first.id, tools=[TOOL])
    alone = client.responses.create(
        model="played",
        input=[{"role": "user", "content": "날씨"}, *first.to_dict()["output"], *outputs],
        tools=[TOOL],
    )
    assert chained.output_text == alone.output_text == "맑음"
    assert [one.tool_call_id for one in last_call(provider).messages[-2:]] == ["call_a", "call_b"]
    assert [call.name for call in last_call(provider).messages[1].tool_calls] == ["weather"] * 2
    outputs[0]["call_id"] = "call_c"
    with pytest.raises(openai.BadRequestError, match="no function_call before it has the call_id 'call_c'"):
        client.responses.create(model="played", input=outputs, previous_response_id=first.id)


def test_a_call_that_was_cut_off_is_told_and_cannot_be_answered(client: openai.OpenAI) -> None:
    first = client.responses.create(model="played", input="cut", tools=[TOOL])
    call = first.output[0]
    assert call.type == "function_call"
    assert (first.status, call.status, call.arguments) == ("incomplete", "incomplete", '{"a": 1, "city": "서')
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "맑음"}
    with pytest.raises(openai.BadRequestError, match="'call_a' was cut off in its arguments"):
        client.responses.create(model="played", input=[output], previous_response_id=first.id)


def test_a_parsed_answer_can_be_sent_back(client: openai.OpenAI, provider: PlayedProvider) -> None:
    class City(BaseModel):
        city: str

    found = client.responses.parse(model="played", input="json", text_format=City)
    assert found.output_parsed == City(city="서울")
    schema = last_call(provider).sampling.json_schema
    assert isinstance(schema, dict)
    assert schema["required"] == ["city"]
    client.responses.create(model="played", input=[*found.output, {"role": "user", "content": "또"}])
    assert said(provider) == [("assistant", '{"city": "서울"}'), ("user", "또")]


def test_items_come_back_as_references(client: openai.OpenAI, provider: PlayedProvider) -> None:
    first = client.responses.create(model="played", input="안녕", reasoning={"effort": "low"})
    items: list[Any] = [{"type": "item_reference", "id": one.id} for one in first.output]
    client.responses.create(model="played", input=[*items, {"role": "user", "content": "또"}])
    assert said(provider) == [("assistant", "안녕"), ("user", "또")]
    assert last_call(provider).messages[0].reasoning_content == "흠, 그렇군."
    with pytest.raises(openai.NotFoundError, match="msg_none"):
        client.responses.create(model="played", input=[{"type": "item_reference", "id": "msg_none"}])


def test_the_input_is_listed_in_pages(client: openai.OpenAI) -> None:
    asked: list[Any] = [{"role": "developer", "content": "짧게"}, {"role": "user", "content": "하나 둘"}]
    first = client.responses.create(model="played", input=asked)
    second = client.responses.create(model="played", input="셋", previous_response_id=first.id)
    whole = client.responses.input_items.list(second.id, order="asc").data
    assert [one.role for one in whole] == ["developer", "user", "assistant", "user"]
    assert whole[2].id == first.output[0].id
    assert len({one.id for one in whole}) == 4
    assert [one.id for one in client.responses.input_items.list(second.id, limit=1)] == [
        one.id for one in reversed(whole)
    ]
    for wrong in ({"limit": 0}, {"limit": 101}, {"after": "nobody"}, {"order": "up"}):
        with pytest.raises(openai.BadRequestError, match=next(iter(wrong))):
            client.responses.input_items.list(second.id, **wrong)  # type: ignore[arg-type]


def test_input_tokens_are_counted_as_they_would_be_read(client: openai.OpenAI, provider: PlayedProvider) -> None:
    asked: dict[str, Any] = {"model": "played", "input": "안녕", "instructions": "짧게", "tools": [TOOL]}
    assert client.responses.input_tokens.count(**asked).input_tokens == 2
    counted = provider.calls[-1]
    client.responses.create(**asked)
    assert counted.chat == last_call(provider)  # type: ignore[union-attr]
    with pytest.raises(openai.BadRequestError, match="max_output_tokens"):
        client.responses.input_tokens.count(**asked, extra_body={"max_output_tokens": 3})


@pytest.mark.parametrize(
    ("asked", "choice"),
    [
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "weather"}, ToolChoice("required", ("weather",))),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "weather"}]},
            ToolChoice("auto", ("weather",)),
        ),
    ],
)
def test_a_choice_of_tools_is_kept(
    client: openai.OpenAI, provider: PlayedProvider, asked: Any, choice: ToolChoice
) -> None:
    found = client.responses.create(model="played", input="날씨", tools=[TOOL], tool_choice=asked)
    assert last_call(provider).tool_choice == choice
    assert found.to_dict()["tool_choice"] == asked


def test_what_is_in_force_is_told(client: openai.OpenAI, provider: PlayedProvider) -> None:
    raw = client.responses.with_raw_response.create(
        model="played", input="안녕", temperature=0.25, max_output_tokens=9, metadata={"k": "v"}, user="u"
    )
    found = raw.parse()
    assert '"temperature":0.25' in raw.headers["axk1-parameters"]
    assert (found.temperature, found.max_output_tokens, found.metadata, found.user) == (0.25, 9, {"k": "v"}, "u")
    assert last_call(provider).sampling.max_tokens == 9


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"instruction": "x"}, "did you mean 'instructions'"),
    ({"background": True}, "not offered"),
    ({"conversation": "conv_a"}, "previous_response_id"),
    ({"truncation": "auto"}, "truncation"),
    ({"prompt": {"id": "p"}}, "prompt: is not offered"),
    ({"max_tool_calls": 1}, "not offered"),
    ({"service_tier": "flex"}, "service_tier"),
    ({"stream_options": {"include_obfuscation": False}}, "goes with stream"),
    ({"tools": [{"type": "web_search"}]}, "not offered"),
    ({"tools": [TOOL, TOOL]}, "tools.1.name: 'weather' is given twice"),
    ({"tools": [TOOL | {"defer_loading": True}]}, "tools.0.defer_loading: unknown field"),
    ({"tools": [TOOL | {"name": "날씨"}]}, "tools.0.name: must be 1 to 64"),
    ({"tool_choice": {"type": "function", "name": "other"}, "tools": [TOOL]}, "tool_choice.name"),
    ({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}}, "at least one tool"),
    ({"text": {"format": {"type": "xml"}}}, "json_object"),
    ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
    ({"text": {"verbosity": "low"}}, "text.verbosity"),
    ({"reasoning": {"summary": "detailed"}}, "reasoning.summary"),
    ({"include": ["file_search_call.results"]}, "include.0"),
    ({"top_logprobs": 21}, "at most 20"),
    ({"temperature": 2.5}, "temperature: must be a number from 0 to 2"),
    ({"metadata": {str(i): "" for i in range(17)}}, "17 pairs"),
    ({"metadata": {"k" * 65: ""}}, "65 characters"),
    ({"metadata": {"k": "v" * 513}}, "metadata.k: has 513"),
    ({"metadata": {"k": 1}}, "metadata.k: must be a string"),
    ({"input": []}, "at least one item"),
    ({"input": None}, "input: is missing"),
    ({"input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": "{"}]}, "is not JSON"),
    ({"input": [{"role": "user", "content": "a", "name": "b"}]}, "input.0.name: unknown field"),
    ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "a", "x": 1}]}]}, "content.0.x: unknown"),
    ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "reads text only"),
    ({"input": [{"role": "user", "content": [{"type": "output_text", "text": "a"}]}]}, "content.0.type"),
    ({"input": [{"type": "web_search_call", "id": "a"}]}, "input.0.type"),
    ({"input": [{"type": "function_call_output", "call_id": "a", "output": "b"}]}, "no function_call before it"),
    ({"input": [{"type": "reasoning", "summary": [{"type": "text", "text": "a"}]}]}, "summary.0.type"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_what_is_not_offered_is_refused(client: openai.OpenAI, change: dict[str, Any], message: str) -> None:
    with pytest.raises(openai.BadRequestError, match=message):
        client.responses.create(model="played", input="안녕", extra_body=change)


def test_errors_have_the_clients_classes(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.responses.create(model="other", input="안녕")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").responses.create(model="played", input="안녕")
    with pytest.raises(openai.InternalServerError, match="queue is full"):
        client.responses.create(model="played", input="fail")
    with pytest.raises(openai.BadRequestError, match="read it whole"):
        client.responses.retrieve(client.responses.create(model="played", input="안녕").id, stream=True)


def test_the_place_of_a_mistake_has_this_apis_name(client: openai.OpenAI, provider: PlayedProvider) -> None:
    provider.refusal = bad_request("too long", "messages", "context_length_exceeded")
    try:
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model="played", input="안녕", stream=True)
    finally:
        provider.refusal = None
    assert (caught.value.param, caught.value.code) == ("input", "context_length_exceeded")


def test_nulls_are_as_if_left_out(client: openai.OpenAI, provider: PlayedProvider) -> None:
    item = {"type": "message", "role": "user", "content": "안녕", "id": None, "status": None}
    nulls = dict.fromkeys(("instructions", "tools", "text", "metadata", "conversation", "store", "stream"))
    found = client.responses.create(model="played", input=[item], extra_body=nulls)  # type: ignore[list-item]
    assert (found.output_text, found.store if hasattr(found, "store") else True) == ("안녕", True)


def test_an_answer_that_cannot_be_kept_is_given_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its tokens are paid for."""

    async def ask() -> None:
        async with parts_in(tmp_path) as parts:
            transport = httpx.ASGITransport(create_app(parts))
            async with parts.database.begin() as connection:
                await connection.execute(text("drop table responses"))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                client.headers["authorization"] = "Bearer key-blue"
                body = {"model": "played", "input": "안녕"}
                found = (await client.post("/v1/responses", json=body)).json()
                streamed = (await client.post("/v1/responses", json=body | {"stream": True})).text
        assert (found["store"], found["output"][0]["content"][0]["text"]) == (False, "안녕")
        assert '"store":false' in streamed.split("event: response.completed")[1]

    asyncio.run(ask())
    assert caplog.text.count("could not be kept") == 2


def test_the_migrated_table_is_the_models(tmp_path: Path) -> None:
    async def columns() -> set[str]:
        database = open_database(DatabaseSettings(), tmp_path)
        await migrate(database)
        async with database.connect() as connection:
            found = await connection.run_sync(lambda one: inspect(one).get_columns("responses"))
        await database.dispose()
        return {column["name"] for column in found}

    assert asyncio.run(columns()) == set(ResponseRow.__table__.columns.keys())
