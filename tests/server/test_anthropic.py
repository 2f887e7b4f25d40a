"""/v1/messages by Anthropic's client."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from axk1.server.anthropic import routes
from axk1.server.calls import ChatCall
from server.played import PlayedProvider
from server.played_scripts import script
from server.serving import AppOf, listening
from server.strictly import check

# Null where nothing is to be said; every other optional field is left out or has a value.
NULLABLE = {"container", "stop_details", "stop_reason", "stop_sequence", "citations", "category", "explanation"} | {
    "cache_creation",
    "inference_geo",
    "server_tool_use",
}
TOOL = {"name": "weather", "description": "날씨", "input_schema": {"type": "object", "properties": {}}}
ASK = {"model": "played", "max_tokens": 100}


@pytest.fixture(scope="module")
def provider() -> PlayedProvider:
    return PlayedProvider(script)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, provider: PlayedProvider) -> Iterator[str]:
    with listening(AppOf(tmp_path_factory.mktemp("serve"), provider)) as found:
        yield found


@pytest.fixture
def client(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=url, api_key="key-blue", max_retries=0) as made:
        yield made


def said(text: str) -> list[dict[str, object]]:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("thinking", [{"type": "disabled"}, {"type": "enabled", "budget_tokens": 50}])
@pytest.mark.parametrize("tools", [[], [TOOL]])
def test_the_stream_equals_the_whole(client: anthropic.Anthropic, thinking: object, tools: object) -> None:
    asked = {**ASK, "messages": said("안녕 세상"), "thinking": thinking, "tools": tools}
    whole = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        streamed = stream.get_final_message()
    assert streamed.content
    ours = {"content", "stop_reason", "stop_sequence", "usage", "role", "model"}
    assert streamed.to_dict(mode="json").keys() >= ours
    got, wanted = streamed.model_dump(include=ours), whole.model_dump(include=ours)
    for block in got["content"]:
        block.pop("parsed_output", None)  # the client's own field
    assert got == wanted


def test_thinking_comes_back_unchanged_or_not_at_all(client: anthropic.Anthropic, provider: PlayedProvider) -> None:
    thinking = {"type": "enabled", "budget_tokens": 50}
    first = client.messages.create(**ASK, messages=said("안녕"), thinking=thinking)
    assert [one.type for one in first.content] == ["thinking", "text"]
    history = [*said("안녕"), {"role": "assistant", "content": first.to_dict()["content"]}, *said("또")]
    client.messages.create(**ASK, messages=history)
    call = provider.calls[-1]
    assert isinstance(call, ChatCall)
    assert (call.messages[1].reasoning_content, call.messages[1].content) == ("흠, 그렇군.", "안녕")
    assert call.thinking.enabled is False
    history[1]["content"][0]["thinking"] = "다른 생각"
    with pytest.raises(anthropic.BadRequestError, match="was changed"):
        client.messages.create(**ASK, messages=history)


def test_tools_are_called_and_answered(client: anthropic.Anthropic, provider: PlayedProvider) -> None:
    first = client.messages.create(**ASK, messages=said("날씨"), tools=[TOOL])
    assert first.stop_reason == "tool_use"
    assert [(one.id, one.input) for one in first.content[1:]] == [("call_a", {"city": "서울"}), ("call_b", {})]
    results = [{"type": "tool_result", "tool_use_id": name, "content": "맑음"} for name in ("call_a", "call_b")]
    history = [*said("날씨"), {"role": "assistant", "content": first.to_dict()["content"]}]
    second = client.messages.create(**ASK, messages=[*history, {"role": "user", "content": results}], tools=[TOOL])
    assert second.content[0].text == "맑음"
    call = provider.calls[-1]
    assert isinstance(call, ChatCall)
    assert [one.tool_call_id for one in call.messages[-2:]] == ["call_a", "call_b"]


def test_a_call_that_was_cut_off_is_given_as_far_as_it_goes(client: anthropic.Anthropic) -> None:
    asked: dict[str, Any] = {**ASK, "messages": said("cut"), "tools": [TOOL]}
    whole = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        streamed = stream.get_final_message()
    assert (whole.stop_reason, whole.content[0].input) == ("max_tokens", {"a": 1})
    assert streamed.content[0].input == {"a": 1}


def test_the_stop_text_is_named(client: anthropic.Anthropic) -> None:
    found = client.messages.create(**ASK, messages=said("stop"), stop_sequences=["둘"])
    assert (found.stop_reason, found.stop_sequence) == ("stop_sequence", "둘")


def test_count_tokens_and_the_parameters_in_force(client: anthropic.Anthropic) -> None:
    assert client.messages.count_tokens(model="played", messages=said("안녕")).input_tokens == 2
    raw = client.messages.with_raw_response.create(**ASK, messages=said("안녕"), extra_body={"temperature": 0.25})
    assert '"temperature":0.25' in raw.headers["axk1-parameters"]
    assert raw.headers["request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"top_kk": 3}, "did you mean 'top_k'"),
        ({"thinking": {"type": "enabled", "budget_tokens": 100}}, "100 is not below 100"),
        ({"mcp_servers": []}, "not offered"),
        ({"diagnostics": {"previous_message_id": None}}, "diagnostics: is not offered"),
        ({"speed": "fast"}, "speed"),
        ({"workspace_id": "w"}, "not offered"),
        ({"tools": [TOOL | {"defer_loading": True}]}, "tools.0.defer_loading: is not offered"),
        ({"metadata": {"user_id": 3}}, "metadata.user_id"),
        ({"tools": [TOOL, TOOL]}, "tools.1.name: 'weather' is given twice"),
        ({"messages": [{"role": "system", "content": "짧게"}]}, "must be the user's"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "not offered"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 1.5}, "temperature"),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "reads text only"),
        ({"messages": [{"role": "assistant", "content": "나는"}]}, "must be the user's"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(
    client: anthropic.Anthropic, change: dict[str, object], message: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=message) as caught:
        client.messages.create(**({**ASK, "messages": said("안녕")} | {"extra_body": change}))
    assert caught.value.body["error"]["type"] == "invalid_request_error"


def test_errors_have_the_clients_classes(client: anthropic.Anthropic, url: str) -> None:
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="other", max_tokens=1, messages=said("안녕"))
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="wrong").messages.create(**ASK, messages=said("안녕"))
    with pytest.raises(anthropic.APIStatusError, match="queue is full"):
        client.messages.create(**ASK, messages=said("fail"))
    with (
        pytest.raises(anthropic.APIStatusError, match="queue is full"),
        client.messages.stream(**ASK, messages=said("fail")) as stream,
    ):
        stream.get_final_message()
    refused = httpx.get(f"{url}/v1/messages")
    assert (refused.status_code, refused.json()["type"]) == (405, "error")


def test_a_client_that_leaves_ends_the_answer(tmp_path: Path) -> None:
    slow = PlayedProvider(pause=0.05)
    body = {**ASK, "stream": True, "messages": said("가 " * 4000)}
    with listening(AppOf(tmp_path, slow)) as url, httpx.Client(headers={"x-api-key": "key-blue"}) as client:
        with client.stream("POST", f"{url}/v1/messages", json=body) as stream:
            next(stream.iter_bytes())
        while not slow.answers[0].closed:
            client.get(f"{url}/v1/messages")
    assert slow.answers[0].usage.completion < 4000


def test_a_system_message_stays_at_its_place(client: anthropic.Anthropic, provider: PlayedProvider) -> None:
    turns: list[Any] = [*said("하나"), {"role": "system", "content": "짧게"}, *said("둘")]
    client.messages.create(**ASK, messages=turns)
    call = provider.calls[-1]
    assert isinstance(call, ChatCall)
    assert [one.role for one in call.messages] == ["user", "system", "user"]


def test_a_workspace_cannot_be_chosen(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="anthropic-workspace-id"):
        client.messages.create(**ASK, messages=said("안녕"), workspace_id="w")


ASKED: list[dict[str, Any]] = [
    {"messages": said("안녕 세상")},
    {"messages": said("날씨"), "tools": [TOOL | {"strict": True}], "thinking": {"type": "enabled", "budget_tokens": 9}},
    {"messages": said("long")},
    {"messages": said("nothing")},
    {"messages": said("stop"), "stop_sequences": ["둘"]},
]


@pytest.mark.parametrize("asked", ASKED)
def test_replies_are_as_the_clients_types_have_them(url: str, asked: dict[str, Any]) -> None:
    with httpx.Client(headers={"x-api-key": "key-blue"}) as client:
        whole = client.post(f"{url}/v1/messages", json=ASK | asked).json()
        frames = client.post(f"{url}/v1/messages", json=ASK | asked | {"stream": True}).text.split("\n\n")
    check(whole, anthropic.types.Message, "$", NULLABLE)
    assert frames.pop() == ""
    events = [json.loads(one.split("\ndata: ")[1]) for one in frames]
    assert [f"event: {one['type']}" for one in events] == [one.split("\n")[0] for one in frames]
    for event in events:
        if event["type"] != "ping":  # the client drops it: it has no type
            check(event, anthropic.types.RawMessageStreamEvent, "$", NULLABLE)
    assert events[-2]["usage"].items() <= whole["usage"].items()


def test_a_fault_of_ours_is_told_without_details(client: anthropic.Anthropic, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(anthropic.APIStatusError, match="failed on this request") as caught,
        client.messages.stream(**ASK, messages=said("fault")) as stream,
    ):
        stream.get_final_message()
    assert "secret" not in str(caught.value.body)
    assert "a secret of the house" in caplog.text


def test_models_are_listed_in_the_clients_form(client: anthropic.Anthropic, url: str) -> None:
    (model,) = client.models.list(limit=1)
    check(json.loads(client.models.with_raw_response.retrieve("played").text()), anthropic.types.ModelInfo)
    assert (model.id, model.max_input_tokens, model.created_at.year) == ("played", 4096, 2025)
    assert client.models.retrieve("played") == model
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("other")
    with pytest.raises(anthropic.BadRequestError, match="after_id"):
        client.models.list(after_id="other")
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="wrong").models.list()
    plain = httpx.get(f"{url}/v1/models", headers={"authorization": "Bearer key-blue"}).json()
    assert plain["object"] == "list"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/batches", 404), ("GET", "/batches/a/results", 404), ("GET", "/count_tokens", 405), ("DELETE", "", 405)],
)
def test_what_is_not_there_is_refused_in_its_form(url: str, method: str, path: str, status: int) -> None:
    refused = httpx.request(method, f"{url}/v1/messages{path}")
    assert (refused.status_code, refused.json()["type"]) == (status, "error")
    assert refused.json()["request_id"] == refused.headers["request-id"]


def test_deep_json_is_refused(client: anthropic.Anthropic) -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"a": deep}
    with pytest.raises(anthropic.BadRequestError, match="nested deeper than 64"):
        client.messages.create(**ASK, messages=said("안녕"), tools=[TOOL | {"input_schema": deep}])


def test_a_silent_answer_pings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = routes.EventStream
    monkeypatch.setattr(routes, "EventStream", lambda *given: real(*given, silence=0.02))
    body = {**ASK, "stream": True, "messages": said("하나 둘")}
    with listening(AppOf(tmp_path, PlayedProvider(pause=0.2))) as url:
        told = httpx.post(f"{url}/v1/messages", json=body, headers={"x-api-key": "key-blue"}).text
    assert told.count("event: ping") > 3
    assert told.endswith('data: {"type":"message_stop"}\n\n')
