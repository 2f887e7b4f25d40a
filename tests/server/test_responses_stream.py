"""The events of /v1/responses: their order, their ids, their end, and that they say what the whole says."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import ResponseStreamEvent

from axk1.server.responses import routes
from server.played import PlayedProvider
from server.played_scripts import script
from server.serving import AppOf, listening
from server.strictly import check

TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
# Open Responses: these are required, and null where nothing is to be said (schema/responses.tsp, configuration.tsp).
NULLABLE = {
    "completed_at", "incomplete_details", "previous_response_id", "instructions", "error", "reasoning", "usage",
    "max_output_tokens", "max_tool_calls", "safety_identifier", "prompt_cache_key", "user", "summary", "description",
    "code", "param",
}  # fmt: skip
REQUIRED = NULLABLE - {"summary", "description", "code", "param"} | {
    "id", "object", "created_at", "status", "model", "output", "tools", "tool_choice", "truncation", "text", "top_p",
    "parallel_tool_calls", "presence_penalty", "frequency_penalty", "top_logprobs", "temperature", "store",
    "background", "service_tier", "metadata",
}  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(AppOf(tmp_path_factory.mktemp("serve"), PlayedProvider(script))) as found:
        yield found


def events_of(url: str, **asked: Any) -> list[dict[str, Any]]:
    """All events, each held against its type; the stream ends with [DONE]."""
    body = {"model": "played", "stream": True, **asked}
    with httpx.Client(headers={"authorization": "Bearer key-blue"}) as client:
        reply = client.post(f"{url}/v1/responses", json=body)
    assert reply.status_code == 200, reply.text
    *frames, done, rest = reply.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    found = []
    for number, one in enumerate(frames):
        name, data = one.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert (f"event: {event['type']}", event["sequence_number"]) == (name, number)
        check(event, ResponseStreamEvent, "$", NULLABLE)
        assert event.get("response", dict.fromkeys(REQUIRED)).keys() >= REQUIRED
        found.append(event)
    return found


def whole_of(url: str, **asked: Any) -> dict[str, Any]:
    with httpx.Client(headers={"authorization": "Bearer key-blue"}) as client:
        found: dict[str, Any] = client.post(f"{url}/v1/responses", json={"model": "played", **asked}).json()
    check(found, openai.types.responses.Response, "$", NULLABLE)
    assert found.keys() >= REQUIRED
    return found


def comparable(response: dict[str, Any]) -> dict[str, Any]:
    own = response["id"].removeprefix("resp_")
    told = {name: one for name, one in response.items() if name not in ("created_at", "completed_at")}
    found: dict[str, Any] = json.loads(json.dumps(told).replace(own, "own"))
    return found


ASKED: list[dict[str, Any]] = [
    {"input": "안녕 세상"},
    {"input": "안녕 세상", "reasoning": {"effort": "high"}, "metadata": {"a": "b"}, "instructions": "짧게"},
    {"input": "날씨", "tools": [TOOL], "reasoning": {"effort": "low"}},
    {"input": "안녕 세상", "include": ["message.output_text.logprobs"], "top_logprobs": 2, "store": False},
    {"input": "long", "max_output_tokens": 2},
    {"input": "nothing"},
    {"input": "json", "text": {"format": {"type": "json_schema", "name": "city", "schema": {"type": "object"}}}},
]


@pytest.mark.parametrize("asked", ASKED)
def test_the_stream_says_what_the_whole_says(url: str, asked: dict[str, Any]) -> None:
    events, whole = events_of(url, **asked), whole_of(url, **asked)
    last = events[-1]["response"]
    assert events[-1]["type"] == f"response.{last['status']}"
    assert comparable(last) == comparable(whole)
    assert [one["type"] for one in events[:2]] == ["response.created", "response.in_progress"]


@pytest.mark.parametrize("asked", ASKED)
def test_the_events_alone_give_the_output(url: str, asked: dict[str, Any]) -> None:
    """A client that only adds up what it is told has the final output, ids included."""
    events = events_of(url, **asked)
    output: list[dict[str, Any]] = []
    texts: dict[str, str] = {}
    logprobs: dict[str, list[Any]] = {}
    for event in events:
        kind = event["type"].removeprefix("response.")
        if "item_id" in event:
            assert event["item_id"] == output[event["output_index"]]["id"]
        if kind == "output_item.added":
            assert event["output_index"] == len(output)
            assert event["item"]["status"] == "in_progress"
            output.append(event["item"])
        elif kind.endswith(".delta"):
            texts[event["item_id"]] = texts.get(event["item_id"], "") + event["delta"]
            logprobs[event["item_id"]] = logprobs.get(event["item_id"], []) + event.get("logprobs", [])
        elif kind in ("output_text.done", "reasoning_text.done", "function_call_arguments.done"):
            assert event.get("text", event.get("arguments")) == texts[event["item_id"]]
            assert event.get("logprobs", []) == logprobs[event["item_id"]]
        elif kind == "output_item.done":
            assert event["item"]["id"] == output[event["output_index"]]["id"]
            output[event["output_index"]] = event["item"]
    last = events[-1]["response"]
    assert last["output"] == output
    assert [one["status"] for one in output] == [last["status"]] * len(output)


def test_logprobs_are_those_of_the_text(url: str) -> None:
    (message,) = whole_of(url, input="안녕 세상", top_logprobs=1)["output"]
    part = message["content"][0]
    assert b"".join(bytes(one["bytes"]) for one in part["logprobs"]).decode() == part["text"] == "안녕 세상"
    assert whole_of(url, input="안녕")["output"][0]["content"][0]["logprobs"] == []


def test_an_answer_that_fails_says_so_in_the_stream(url: str) -> None:
    events = events_of(url, input="fail", reasoning={"effort": "high"})
    error, failed = events[-2:]
    assert (error["type"], error["message"], error["code"]) == ("error", "the queue is full", "overloaded")
    last = failed["response"]
    assert (last["status"], last["error"]["code"], last["store"]) == ("failed", "server_error", False)
    assert [one["status"] for one in last["output"]] == ["completed", "incomplete"]
    assert events_of(url, input="fail early")[-1]["response"]["output"] == []


def test_a_fault_of_ours_is_told_without_details(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        events = events_of(url, input="fault")
    assert "failed on this request (req_" in events[-1]["response"]["error"]["message"]
    assert "secret" not in json.dumps(events)
    assert "a secret of the house" in caplog.text


def test_the_clients_stream_helper_reads_it(url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="key-blue", max_retries=0) as client:
        asked: dict[str, Any] = {"model": "played", "input": "날씨", "tools": [TOOL], "reasoning": {"effort": "low"}}
        with client.responses.stream(**asked) as stream:
            final = stream.get_final_response()
        assert [one.type for one in final.output] == ["reasoning", "message", "function_call", "function_call"]
        assert client.responses.retrieve(final.id).output == client.responses.retrieve(final.id).output
        assert [one.id for one in client.responses.retrieve(final.id).output] == [one.id for one in final.output]
        with pytest.raises(openai.APIError, match="queue is full"):
            list(client.responses.create(model="played", input="fail", stream=True))


def test_a_client_that_leaves_ends_the_answer(tmp_path: Path) -> None:
    slow = PlayedProvider(pause=0.05)
    body = {"model": "played", "stream": True, "input": "가 " * 4000}
    with listening(AppOf(tmp_path, slow)) as url, httpx.Client(headers={"authorization": "Bearer key-blue"}) as client:
        with client.stream("POST", f"{url}/v1/responses", json=body) as stream:
            next(stream.iter_bytes())
        while not slow.answers[0].closed:
            client.get(f"{url}/health")
    assert slow.answers[0].usage.completion < 4000


def test_a_silent_answer_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = routes.EventStream
    monkeypatch.setattr(routes, "EventStream", lambda *given: real(*given, silence=0.02))
    with (
        listening(AppOf(tmp_path, PlayedProvider(pause=0.2))) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="key-blue", max_retries=0) as client,
    ):
        asked = {"model": "played", "input": "하나 둘", "stream": True}
        told = httpx.post(f"{url}/v1/responses", json=asked, headers={"authorization": "Bearer key-blue"}).text
        assert told.count(": nothing yet\n\n") > 2
        last = list(client.responses.create(model="played", input="하나 둘", stream=True))[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "하나 둘"
