"""/v1/chat/completions: the form of replies and streams, and what a request becomes."""

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from axk1.server.access import OpenGate
from axk1.server.app import create_app
from axk1.server.calls import (
    ChatCall,
    ContentPart,
    Event,
    Finished,
    PromptScores,
    ReasoningPart,
    Thinking,
    TokenScore,
    ToolArguments,
    ToolCallBegin,
    ToolChoice,
)
from axk1.server.errors import ApiError, overloaded
from server.played import PlayedProvider
from server.serving import NamedGate, listening, parts_in
from server.strictly import check

MESSAGES = [{"role": "user", "content": "나랏 말싸미"}]
WEATHER = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
TOOLS = [{"type": "function", "function": WEATHER}]


class Chat:
    """A server with a played model, asked by httpx and by the official client."""

    def __init__(self, url: str, provider: PlayedProvider) -> None:
        self.provider = provider
        self.url = url
        self.http = httpx.Client(base_url=url, headers={"Authorization": "Bearer key-blue"}, timeout=20)
        self.client = openai.OpenAI(base_url=f"{url}/v1", api_key="key-blue", max_retries=0, timeout=20)

    def post(self, **fields: Any) -> httpx.Response:
        return self.http.post("/v1/chat/completions", json={"model": "played", "messages": MESSAGES} | fields)

    def chunks(self, **fields: Any) -> list[dict[str, Any]]:
        reply = self.post(stream=True, **fields)
        assert reply.headers["content-type"].startswith("text/event-stream")
        frames = [line.removeprefix("data: ") for line in reply.text.split("\n") if line.startswith("data: ")]
        assert frames.pop() == "[DONE]"
        return [json.loads(frame) for frame in frames]

    @property
    def call(self) -> ChatCall:
        call = self.provider.calls[-1]
        assert isinstance(call, ChatCall)
        return call


@contextlib.contextmanager
def chatting(folder: Path, provider: PlayedProvider) -> Iterator[Chat]:
    @contextlib.asynccontextmanager
    async def app() -> Any:
        async with parts_in(folder, provider, NamedGate()) as parts:
            yield create_app(parts)

    with listening(app) as url:
        chat = Chat(url, provider)
        with chat.http, chat.client:
            yield chat


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    with chatting(tmp_path_factory.mktemp("chat"), PlayedProvider()) as found:
        yield found


def scripted(folder: Path, events: Sequence[Event | ApiError]) -> Any:
    return chatting(folder, PlayedProvider(lambda _call: events))


CALLING: list[Event | ApiError] = [
    ReasoningPart(0, "날씨를 "),
    ReasoningPart(0, "물어보자"),
    ToolCallBegin(0, 0, "call_a", "get_weather"),
    ToolArguments(0, 0, '{"city":'),
    ToolArguments(0, 0, ' "서울"}'),
    ToolCallBegin(0, 1, "call_b", "get_weather"),
    ToolArguments(0, 1, "{}"),
    Finished(0, "tool_calls"),
]


def test_replies_are_as_the_clients_types_have_them(chat: Chat) -> None:
    for fields in ({}, {"logprobs": True, "top_logprobs": 1}, {"n": 3}, {"reasoning_effort": "low"}):
        check(chat.post(**fields).json(), ChatCompletion)
        for chunk in chat.chunks(**fields, stream_options={"include_usage": True}):
            check(chunk, ChatCompletionChunk)


def test_tool_calls_are_as_the_clients_types_have_them(tmp_path: Path) -> None:
    with scripted(tmp_path, CALLING) as chat:
        check(chat.post(tools=TOOLS).json(), ChatCompletion)
        for chunk in chat.chunks(tools=TOOLS):
            check(chunk, ChatCompletionChunk)


def test_a_stream_says_what_the_whole_reply_says(chat: Chat) -> None:
    whole = chat.post(reasoning_effort="high", n=2, logprobs=True).json()
    said = [{"content": "", "reasoning": "", "scores": []} for _ in range(2)]
    ends: dict[int, str] = {}
    for chunk in chat.chunks(reasoning_effort="high", n=2, logprobs=True):
        for choice in chunk["choices"]:
            one = said[choice["index"]]
            for name in ("content", "reasoning"):
                one[name] += choice["delta"].get(name, "")
            one["scores"] += choice["logprobs"]["content"] if choice["logprobs"] else []
            if choice["finish_reason"]:
                ends[choice["index"]] = choice["finish_reason"]
    for choice, one in zip(whole["choices"], said, strict=True):
        message = choice["message"]
        assert message["content"] == one["content"] == "나랏 말싸미"
        assert message["reasoning"] == message["reasoning_content"] == one["reasoning"] == "흠, 그렇군."
        assert choice["logprobs"]["content"] == one["scores"]
        assert choice["finish_reason"] == ends[choice["index"]] == "stop"


def test_the_bytes_of_the_scores_are_the_text(chat: Chat) -> None:
    choice = chat.post(logprobs=True).json()["choices"][0]
    joined = b"".join(bytes(one["bytes"]) for one in choice["logprobs"]["content"])
    assert joined.decode() == choice["message"]["content"]


def test_tool_calls_come_in_pieces_with_ids_that_stay(tmp_path: Path) -> None:
    with scripted(tmp_path, CALLING) as chat:
        whole = chat.post(tools=TOOLS).json()["choices"][0]
        pieces = [
            call
            for chunk in chat.chunks(tools=TOOLS)
            for choice in chunk["choices"]
            for call in choice["delta"].get("tool_calls", ())
        ]
    assert whole["finish_reason"] == "tool_calls"
    assert whole["message"]["content"] is None
    calls = whole["message"]["tool_calls"]
    assert [(one["id"], one["function"]["arguments"]) for one in calls] == [
        ("call_a", '{"city": "서울"}'),
        ("call_b", "{}"),
    ]
    assert [one["id"] for one in pieces if "id" in one] == ["call_a", "call_b"]
    joined = ["".join(one["function"]["arguments"] for one in pieces if one["index"] == index) for index in range(2)]
    assert joined == [one["function"]["arguments"] for one in calls]


def test_usage_comes_last_and_only_when_asked_for(chat: Chat) -> None:
    assert all("usage" not in chunk for chunk in chat.chunks())
    *others, last = chat.chunks(stream_options={"include_usage": True}, reasoning_effort="low")
    assert all(chunk["usage"] is None for chunk in others)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 4
    assert last["usage"]["completion_tokens_details"]["reasoning_tokens"] == 2
    grown = [chunk["usage"]["completion_tokens"] for chunk in chat.chunks(
        stream_options={"include_usage": True, "continuous_usage_stats": True})]  # fmt: skip
    assert grown == sorted(grown)
    assert grown[-1] == 2


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({}, Thinking()),
        ({"chat_template_kwargs": {"enable_thinking": True}}, Thinking(True)),
        ({"chat_template_kwargs": {"enable_thinking": False}}, Thinking()),
        ({"reasoning_effort": "none"}, Thinking()),
        ({"reasoning_effort": "low"}, Thinking(True, 512)),
        ({"reasoning_effort": "high"}, Thinking(True)),
        ({"thinking_budget": 7}, Thinking(True, 7)),
        ({"thinking_token_budget": 0}, Thinking()),
        ({"reasoning_effort": "medium", "thinking_budget": 7}, Thinking(True, 7)),
    ],
)
def test_thinking_has_many_names_and_one_meaning(chat: Chat, fields: dict[str, Any], thinking: Thinking) -> None:
    assert chat.post(**fields).status_code == 200
    assert chat.call.thinking == thinking


def test_fields_reach_the_model(chat: Chat) -> None:
    fields = {
        "temperature": 0.3, "top_p": 0.5, "seed": 7, "max_completion_tokens": 9, "stop": ["끝", "그만"], "top_k": 5,
        "min_p": 0.1, "presence_penalty": 1, "frequency_penalty": -1, "repetition_penalty": 1.5,
        "logit_bias": {"3": -2}, "stop_token_ids": [4], "ignore_eos": True, "logprobs": True, "top_logprobs": 2,
        "prompt_logprobs": 1, "n": 2,
    }  # fmt: skip
    assert chat.post(**fields).status_code == 200
    sampling = chat.call.sampling
    assert (sampling.max_tokens, sampling.logprobs, sampling.logit_bias) == (9, 2, {3: -2.0})
    assert (sampling.stop, sampling.stop_token_ids, chat.call.n) == (("끝", "그만"), (4,), 2)
    same = set(fields) - {
        "max_completion_tokens",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "stop",
        "stop_token_ids",
        "n",
    }
    assert {name: getattr(sampling, name) for name in same} == {name: fields[name] for name in same}


def test_the_parameters_in_force_are_told_and_give_the_same_request_again(chat: Chat) -> None:
    told = json.loads(chat.post(max_tokens=5).headers["axk1-parameters"])
    assert (told["temperature"], told["top_p"], told["max_tokens"], told["thinking"]) == (0.6, 0.95, 5, False)
    assert chat.call.sampling.seed == told["seed"]
    again = json.loads(chat.post(max_tokens=5, seed=told["seed"]).headers["axk1-parameters"])
    assert again == told


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({}, ToolChoice()),
        ({"tool_choice": "required", "parallel_tool_calls": False}, ToolChoice("required", (), False)),
        ({"tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
         ToolChoice("required", ("get_weather",), False)),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [
            {"type": "function", "function": {"name": "get_weather"}}]}}}, ToolChoice("auto", ("get_weather",))),
    ],
)  # fmt: skip
def test_tool_choice(chat: Chat, fields: dict[str, Any], choice: ToolChoice) -> None:
    assert chat.post(tools=TOOLS, **fields).status_code == 200
    assert chat.call.tool_choice == choice
    assert [tool.name for tool in chat.call.tools] == ["get_weather"]


def test_json_formats_become_schemas(chat: Chat) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    chat.post(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}})
    assert chat.call.sampling.json_schema == schema
    chat.post(response_format={"type": "json_object"})
    assert chat.call.sampling.json_schema == {"type": "object"}
    chat.post(structured_outputs={"regex": "[0-9]+"})
    assert chat.call.sampling.regex == "[0-9]+"


def test_a_conversation_with_calls_reaches_the_model_whole(chat: Chat) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"부산"}'}}
    asked = [
        {"role": "developer", "content": "짧게"},
        {"role": "user", "content": [{"type": "text", "text": "부산 "}, {"type": "text", "text": "날씨"}]},
        {"role": "assistant", "content": None, "reasoning": "흠", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "맑음"},
    ]
    assert chat.post(messages=asked).status_code == 200
    system, user, assistant, tool = chat.call.messages
    assert (system.role, user.content) == ("system", "부산 날씨")
    assert (assistant.reasoning_content, assistant.tool_calls[0].arguments) == ("흠", {"city": "부산"})
    assert (tool.content, tool.tool_call_id) == ("맑음", "call_1")


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"max_token": 5}, "max_token", "did you mean max_tokens?"),
        ({"functions": []}, "functions", "replaced by tools"),
        ({"stop": ["a"] * 17}, "stop", "at most 16"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens", "one of them"),
        ({"top_logprobs": 2}, "top_logprobs", "logprobs"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "stream"),
        ({"reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": True}},
         "reasoning_effort", "disagree"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "1"}]},
         "messages.0.tool_call_id", "no tool call"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
         "messages.0.content", "reads text only"),
        ({"messages": [{"role": "user", "conten": "a", "content": "b"}]}, "messages.0.conten", "did you mean content?"),
        ({"messages": []}, "messages", "at least 1"),
        ({"logit_bias": {"a": 1}}, "logit_bias", "token ids"),
        ({"n": 0}, "n", "greater than or equal to 1"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "missing"),
        ({"guided_regex": "a", "structured_outputs": {"regex": "b"}}, "structured_outputs", "twice"),
    ],
)  # fmt: skip
def test_mistakes_are_named(chat: Chat, fields: dict[str, Any], param: str, words: str) -> None:
    reply = chat.post(**fields)
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert error["param"] == param
    assert words in error["message"]
    assert "\n" not in error["message"]


@pytest.mark.parametrize(
    "body",
    [b'{"model": NaN}', b"[1]", b"", b'{"model": "\\ud800", "messages": []}', b"[" * 100_000, b"\xff",
     b'{"a":' * 100 + b"1" + b"}" * 100],
)  # fmt: skip
def test_what_is_not_json_is_refused_in_the_same_form(chat: Chat, body: bytes) -> None:
    reply = chat.http.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 400
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}


def test_the_official_client_raises_the_right_errors(chat: Chat, tmp_path: Path) -> None:
    create = chat.client.chat.completions.create
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        create(model="nobody", messages=MESSAGES)  # type: ignore[arg-type]
    with pytest.raises(openai.BadRequestError):
        create(model="played", messages=MESSAGES, temperature=9)  # type: ignore[arg-type]
    with pytest.raises(openai.AuthenticationError):
        chat.client.with_options(api_key="wrong").models.list()
    chat.provider.refusal = overloaded("full")
    try:
        with pytest.raises(openai.InternalServerError, match="full"):
            create(model="played", messages=MESSAGES)  # type: ignore[arg-type]
    finally:
        chat.provider.refusal = None


def test_an_error_in_mid_stream_reaches_the_client_as_an_error(tmp_path: Path) -> None:
    with scripted(tmp_path, [ContentPart(0, "반"), overloaded("the server stops")]) as chat:
        stream = chat.client.chat.completions.create(model="played", messages=MESSAGES, stream=True)  # type: ignore[arg-type]
        with pytest.raises(openai.APIError, match="the server stops"):
            list(stream)


def test_prompt_scores_come_in_vllms_form(tmp_path: Path) -> None:
    first = TokenScore("가", "가".encode(), None, 3)
    second = TokenScore("나", "나".encode(), -1.5, 4, (TokenScore("다", "다".encode(), -0.5, 5, rank=1),), 2)
    with scripted(tmp_path, [PromptScores(0, (first, second)), Finished(0, "stop")]) as chat:
        found = chat.post(prompt_logprobs=1).json()["prompt_logprobs"]
    assert found == [
        None,
        {
            "5": {"logprob": -0.5, "rank": 1, "decoded_token": "다"},
            "4": {"logprob": -1.5, "rank": 2, "decoded_token": "나"},
        },
    ]


def test_who_leaves_a_stream_ends_the_answer(tmp_path: Path) -> None:
    many: list[Event | ApiError] = [ContentPart(0, "가")] * 10_000
    provider = PlayedProvider(lambda _call: many, pause=0.005)
    with chatting(tmp_path, provider) as chat:
        with chat.http.stream("POST", "/v1/chat/completions", json={
            "model": "played", "messages": MESSAGES, "stream": True,
        }) as reply:  # fmt: skip
            next(reply.iter_bytes())
        _until_closed(provider)
        with contextlib.suppress(httpx.ReadTimeout):
            chat.http.post("/v1/chat/completions", json={"model": "played", "messages": MESSAGES}, timeout=0.2)
        _until_closed(provider)


def _until_closed(provider: PlayedProvider) -> None:
    for _ in range(400):
        if all(answer.closed for answer in provider.answers):
            return
        time.sleep(0.01)
    raise AssertionError("an answer goes on though nobody reads it")


@pytest.mark.parametrize("arguments", ["[" * 100_000, '{"a": "\\ud800"}', '{"a": NaN}', "{", "[]"])
def test_arguments_of_earlier_calls_are_json_objects(chat: Chat, arguments: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    reply = chat.post(messages=[*MESSAGES, {"role": "assistant", "tool_calls": [call]}])
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "messages.1.tool_calls")


def test_a_stop_text_may_be_long(chat: Chat) -> None:
    assert chat.post(stop="가" * 40).status_code == 200
    assert "가" * 40 in chat.call.sampling.stop


def test_models_are_listed(chat: Chat) -> None:
    (model,) = chat.client.models.list().data
    assert (model.id, model.object, chat.client.models.retrieve("played").id) == ("played", "model", "played")
    with pytest.raises(openai.NotFoundError):
        chat.client.models.retrieve("nobody")


def test_open_gate_needs_no_key(tmp_path: Path) -> None:
    @contextlib.asynccontextmanager
    async def app() -> Any:
        async with parts_in(tmp_path, PlayedProvider(), OpenGate()) as parts:
            yield create_app(parts)

    with listening(app) as url:
        assert (
            httpx.post(f"{url}/v1/chat/completions", json={"model": "played", "messages": MESSAGES}).status_code == 200
        )
