"""/v1/messages by Anthropic's client."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import anthropic
import httpx
import pytest

from axk1.server.calls import ChatCall, ContentPart, Event, Finished, ToolArguments, ToolCallBegin
from axk1.server.errors import ApiError, overloaded
from server.played import PlayedProvider, talk
from server.serving import AppOf, listening

TOOL = {"name": "weather", "description": "날씨", "input_schema": {"type": "object", "properties": {}}}
ASK = {"model": "played", "max_tokens": 100}


def script(call: ChatCall) -> Sequence[Event | ApiError]:
    last = call.messages[-1]
    if last.content == "fail":
        return [ContentPart(0, "안"), overloaded("the queue is full")]
    if last.content == "stop":
        return [ContentPart(0, "하나"), Finished(0, "stop", "둘")]
    if call.tools and last.role == "user":
        begun = [ContentPart(0, "볼게요."), ToolCallBegin(0, 0, "call_a", "weather"), ToolArguments(0, 0, '{"city":')]
        other = [ToolArguments(0, 0, '"서울"}'), ToolCallBegin(0, 1, "call_b", "weather"), ToolArguments(0, 1, "{}")]
        return [*begun, *other, Finished(0, "tool_calls")]
    return talk(call)


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
