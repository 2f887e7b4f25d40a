"""One upstream: requests as servers want them, replies however they are cut, errors in words for the client."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axk1.chat.messages import Message, Tool, ToolCall
from axk1.chat.sampling import SamplingParams
from axk1.server.calls import (
    Answer,
    ChatCall,
    ContentPart,
    EmbedCall,
    Event,
    Finished,
    PromptScores,
    ReasoningPart,
    TextCall,
    Thinking,
    TokenizeCall,
    TokenScore,
    ToolArguments,
    ToolCallBegin,
    ToolChoice,
    Usage,
)
from axk1.server.errors import ApiError
from axk1.server.settings import UpstreamSettings
from axk1.server.upstream.client import checked_url
from axk1.server.upstream.dialect import dialect
from axk1.server.upstream.provider import UpstreamProvider
from axk1.server.upstream.reader import EventReader, Finish
from axk1.server.upstream.scores import placed
from axk1.server.upstream.wholeness import Whole
from server.upstream_server import (
    DONE,
    HANG,
    RESET,
    USAGE,
    PlayedUpstream,
    Script,
    Step,
    delta,
    event,
    head,
    refusal,
    reply,
)

KEY = "sk-very-secret"
WEATHER = Tool("weather", "날씨", {"type": "object", "properties": {"city": {"type": "string"}}})


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


@contextlib.asynccontextmanager
async def upstream(
    script: Script, owner: str = "vllm", **more: Any
) -> AsyncIterator[tuple[UpstreamProvider, PlayedUpstream]]:
    played = PlayedUpstream(script, owner)
    async with played.listening():
        named = UpstreamSettings(played.url, "k1", key_variable="KEY", **more)
        provider = UpstreamProvider.of(named, {"KEY": KEY})
        await provider.look()
        try:
            yield provider, played
        finally:
            await provider.close()


def ask(text: str = "안녕", **more: Any) -> ChatCall:
    return ChatCall("k1", (Message("user", text),), **more)


async def read(answer: Answer) -> list[Event]:
    return [event async for event in answer]


async def refused(provider: UpstreamProvider, call: ChatCall) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await read(await provider.chat(call))
    return caught.value


def texts(events: list[Event]) -> str:
    return "".join(one.text for one in events if isinstance(one, ContentPart))


def test_an_answer_comes_with_its_usage_and_the_key_goes_along() -> None:
    async def work() -> None:
        async with upstream(lambda _: reply("안", "녕")) as (provider, played):
            answer = await provider.chat(ask())
            assert await read(answer) == [ContentPart(0, "안"), ContentPart(0, "녕"), Finished(0, "stop")]
            assert answer.usage == Usage(7, 3)
            assert provider.card.context == 4096
            sent = played.asked[0]
            assert sent.headers["authorization"] == f"Bearer {KEY}"
            assert sent.body["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
            assert sent.body["chat_template_kwargs"] == {"enable_thinking": False}

    run(work())


@pytest.mark.parametrize(
    ("owner", "absent"),
    [("vllm", {"min_p", "top_k", "repetition_penalty"}), ("mystery", {"chat_template_kwargs", "top_k"})],
)
def test_fields_that_change_nothing_or_are_not_known_are_not_sent(owner: str, absent: set[str]) -> None:
    async def work() -> None:
        async with upstream(lambda _: reply("네"), owner) as (provider, played):
            await read(await provider.chat(ask()))
            assert not absent & set(played.asked[0].body)

    run(work())


@pytest.mark.parametrize(
    ("call", "param"),
    [
        (ask(sampling=SamplingParams(json_schema={"type": "object"})), "response_format"),
        (ask(sampling=SamplingParams(logprobs=2)), "logprobs"),
        (ask(tools=(WEATHER,)), "tools"),
        (ask(n=2), "n"),
        (ask(sampling=SamplingParams(min_p=0.1)), "min_p"),
        (ask(thinking=Thinking(True, 10)), "thinking_budget"),
    ],
)
def test_the_hosted_api_refuses_what_it_cannot_do(call: ChatCall, param: str) -> None:
    async def work() -> None:
        async with upstream(lambda _: reply("네"), kind="adot") as (provider, played):
            error = await refused(provider, call)
            assert (error.status, error.param) == (400, param)
            assert not played.asked

    run(work())


@pytest.mark.parametrize(
    ("owner", "field"), [("vllm", "thinking_token_budget"), ("llamacpp", "thinking_budget_tokens")]
)
def test_an_operator_may_allow_what_the_kind_lacks(owner: str, field: str) -> None:
    async def work() -> None:
        async with upstream(lambda _: reply("네"), owner, allow=("thinking_budget",)) as (provider, played):
            await read(await provider.chat(ask(thinking=Thinking(True, 10))))
            assert played.asked[0].body[field] == 10
            assert played.asked[0].body["chat_template_kwargs"] == {"enable_thinking": True}

    run(work())


def test_ids_of_calls_are_kept_and_missing_ones_made() -> None:
    conversation = (
        Message("user", "날씨?"),
        Message("assistant", "", "음", (ToolCall("weather", {"city": "서울"}, "a"), ToolCall("weather", {}))),
        Message("tool", "맑음", tool_call_id="a"),
        Message("tool", "비"),
    )

    async def work() -> None:
        async with upstream(lambda _: reply("네")) as (provider, played):
            await read(await provider.chat(ChatCall("k1", conversation, (WEATHER,))))
            _, called, first, second = played.asked[0].body["messages"]
            assert called["reasoning"] == "음"
            assert [one["id"] for one in called["tool_calls"]] == ["a", "call_2"]
            assert json.loads(called["tool_calls"][0]["function"]["arguments"]) == {"city": "서울"}
            assert (first["tool_call_id"], second["tool_call_id"]) == ("a", "call_2")

    run(work())


def test_tool_choice_as_ours_has_it() -> None:
    other = Tool("other", "", {"type": "object"})
    cases = [
        (ToolChoice("none"), None, None),
        (ToolChoice("required"), "required", 2),
        (
            ToolChoice("required", ("weather",), parallel=False),
            {"type": "function", "function": {"name": "weather"}},
            1,
        ),
        (ToolChoice("auto", ("other",)), "auto", 1),
    ]

    async def work() -> None:
        async with upstream(lambda _: reply("네")) as (provider, played):
            for choice, sent, count in cases:
                await read(await provider.chat(ask(tools=(WEATHER, other), tool_choice=choice)))
                body = played.asked[-1].body
                assert body.get("tool_choice") == sent
                assert (len(body["tools"]) if "tools" in body else None) == count
            error = await refused(provider, ask(tools=(WEATHER,), tool_choice=ToolChoice("auto", ("nobody",))))
            assert error.param == "tool_choice"

    run(work())


def test_tool_calls_in_pieces() -> None:
    pieces = [
        [{"index": 0, "id": "x1", "type": "function", "function": {"name": "weather", "arguments": ""}}],
        [{"index": 0, "id": "x1", "function": {"arguments": '{"city": "서'}}],
        [{"index": 0, "function": {"arguments": '울"}'}}, {"index": 1, "id": "x2", "function": {"name": "weather"}}],
        [{"index": 1, "function": {"arguments": "{}"}}],
    ]
    steps: list[Step] = [head(), *(event(delta(tool_calls=one)) for one in pieces), event(delta(finish="stop")), DONE]

    async def work() -> None:
        async with upstream(lambda _: steps) as (provider, _):
            both = await read(await provider.chat(ask(tools=(WEATHER,))))
            assert both == [
                ToolCallBegin(0, 0, "x1", "weather"),
                ToolArguments(0, 0, '{"city": "서'),
                ToolArguments(0, 0, '울"}'),
                ToolCallBegin(0, 1, "x2", "weather"),
                ToolArguments(0, 1, "{}"),
                Finished(0, "tool_calls"),
            ]
            single = ask(tools=(WEATHER,), tool_choice=ToolChoice(parallel=False))
            assert await read(await provider.chat(single)) == [*both[:3], both[-1]]

    run(work())


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_comes_under_either_name_and_is_counted(field: str) -> None:
    steps: list[Step] = [head(), event(delta(**{field: "흠"})), event(delta("네", "stop")), event(USAGE), DONE]

    async def work() -> None:
        async with upstream(lambda _: steps) as (provider, _):
            answer = await provider.chat(ask(thinking=Thinking(True)))
            assert await read(answer) == [ReasoningPart(0, "흠"), ContentPart(0, "네"), Finished(0, "stop")]
            assert answer.usage == Usage(7, 3, 1)

    run(work())


def chance(token: str, data: bytes | None = None) -> dict[str, Any]:
    entry = {"token": token, "logprob": -0.5, "bytes": None if data is None else list(data)}
    return {"content": [entry | {"top_logprobs": [entry]}]}


def test_log_probabilities_come_with_bytes_and_never_for_reasoning() -> None:
    def chunk(logprobs: object, **parts: str) -> bytes:
        return event({"choices": [{"index": 0, "delta": parts, "logprobs": logprobs, "finish_reason": None}]})

    steps: list[Step] = [
        head(),
        chunk(chance("흠"), reasoning="흠"),
        chunk(chance("</think>")),
        chunk(chance("안", "안".encode()), content="안"),
        chunk(chance("녕"), content="녕"),
        event(delta(finish="stop")),
        DONE,
    ]

    async def work() -> None:
        async with upstream(lambda _: steps) as (provider, _):
            call = ask(thinking=Thinking(True), sampling=SamplingParams(logprobs=1))
            parts = [one for one in await read(await provider.chat(call)) if isinstance(one, ContentPart)]
            assert b"".join(score.data for one in parts for score in one.scores) == "안녕".encode()
            assert parts[0].scores[0].top[0].token == "안"

    run(work())


def test_bytes_that_an_upstream_lost_are_found_in_the_text() -> None:
    lost = [TokenScore("\ufffd", b"", -1.0), TokenScore("\ufffd", b"", -1.0), TokenScore("!", b"!", -1.0)]
    assert b"".join(one.data for one in placed(lost, "뷁!")) == "뷁!".encode()
    assert b"".join(one.data for one in placed(lost[:2], "뷁")) == "뷁".encode()


GOOD = b"".join(
    [
        b": a comment\n\n",
        event(delta("한글 🐯"), "\r\n\r\n"),
        b"event: message\r\nid: 1\r\n",
        event(delta("과 더")),
        b"data: \n\n",
        event(delta(finish="length")).replace(b"data: ", b"data:"),
        DONE,
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, len(GOOD) - 1), max_size=40))
def test_events_may_be_cut_anywhere(cuts: list[int]) -> None:
    places = [0, *sorted(set(cuts)), len(GOOD)]
    reader = EventReader("k1")
    found = [one for a, b in itertools.pairwise(places) for one in reader.feed(GOOD[a:b])]
    assert found[:3] == [delta("한글 🐯"), delta("과 더"), delta(finish="length")]
    assert isinstance(found[3], Finish)
    assert len(found) == 4


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader_but_by_its_own_error(data: bytes) -> None:
    reader = EventReader("k1", longest=200)
    with contextlib.suppress(ApiError):
        list(reader.feed(data))
        list(reader.end())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8") | st.characters(categories=["Cs"]), max_size=4), max_size=8))
def test_only_whole_characters_come_out(pieces: list[str]) -> None:
    whole = Whole()
    shown = "".join(whole.push(piece) for piece in pieces)
    assert shown == shown.encode("utf-8").decode("utf-8")
    assert "\ufffd" not in shown
    joined = "".join(pieces).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    assert shown == joined.replace("\ufffd", "")


def test_halves_of_a_character_meet_or_are_left_out() -> None:
    halves = ["\\ud83d", "\\udc2f", "\\ud83d", "가\\ufffd"]
    raw = [f'data: {{"choices": [{{"index": 0, "delta": {{"content": "{one}"}}}}]}}\n\n'.encode() for one in halves]

    async def work() -> None:
        async with upstream(lambda _: [head(), *raw, event(delta(finish="stop")), DONE]) as (provider, _):
            assert texts(await read(await provider.chat(ask()))) == "🐯가"

    run(work())


def test_a_stream_without_done_is_whole_and_one_without_an_end_is_not() -> None:
    async def work() -> None:
        async with upstream(lambda _: [head(), event(delta("네", "stop"))[:-2]]) as (provider, played):
            assert texts(await read(await provider.chat(ask()))) == "네"
            played.script = lambda _: [head(), event(delta("네")), DONE]
            assert "before the answer was complete" in (await refused(provider, ask())).message

    run(work())


@pytest.mark.parametrize(
    ("steps", "status", "words"),
    [
        (refusal(400, {"error": {"message": "too\nlong", "param": "messages", "code": "x"}}), 400, "too long"),
        (refusal(422, {"detail": [{"msg": "bad"}]}), 400, "refuses"),
        (refusal(401, {"error": {"message": f"wrong key {KEY}"}}), 502, "key"),
        (refusal(404, {"error": {"message": "no model"}}), 502, "does not know"),
        (refusal(429, {"error": {"message": "slow"}}), 429, "try again in 1 s"),
        (refusal(429, {}, "Retry-After: 7\r\n"), 429, "try again in 7 s"),
        (refusal(500, {"error": {"message": "boom"}}), 502, "status 500"),
        (refusal(503, {}), 503, "overloaded"),
        (refusal(504, {}), 504, "too long"),
        ([head(502, "text/html"), b"<html>secret page</html>"], 502, "status 502"),
        ([head(200, "text/html"), b"<html></html>"], 502, "not with a stream"),
        ([head(302, extra="Location: http://127.0.0.1:1/\r\n")], 502, "status 302"),
        ([head(), event({"error": {"message": "boom", "code": 500}}), DONE], 502, "status 500"),
        ([head(), event({"error": {"message": "too long", "code": 400}}), DONE], 400, "too long"),
        ([head(), event({"object": "error", "message": "busy", "code": 503})], 503, "overloaded"),
        ([head(), b"data: {not json\n\n"], 502, "not JSON"),
        ([head(), b"data: 7\n\n"], 502, "not an object"),
        ([head(), event({"choices": [{"index": 9, "delta": {}}]})], 502, "not of the OpenAI API"),
        ([head(), event({"choices": [{"index": 0, "delta": {"content": 3}}]})], 502, "not of the OpenAI API"),
        ([head(), event(delta("a", "abort"))], 502, "not of the OpenAI API"),
        ([head(), b"data: " + b"x" * (9 << 20)], 502, "more than"),
        ([head(), event(delta("a")), RESET], 502, "broke off"),
        ([RESET], 502, "broke off"),
        ([b"garbage\r\n\r\n"], 502, "broke off"),
    ],
)
def test_every_failure_has_its_status_and_says_no_secret(steps: list[Step], status: int, words: str) -> None:
    async def work() -> None:
        async with upstream(lambda _: steps) as (provider, played):
            error = await refused(provider, ask())
            assert error.status == status
            assert words in error.message
            for secret in (KEY, "127.0.0.1", played.url):
                assert secret not in str(error.openai())

    run(work())


@pytest.mark.parametrize("steps", [[HANG], [head(), HANG], [head(), event(delta("a")), HANG]])
def test_an_upstream_that_hangs_is_given_up(steps: list[Step]) -> None:
    async def work() -> None:
        async with upstream(lambda _: steps, timeout_seconds=0.2, gap_seconds=0.2) as (provider, _):
            assert (await refused(provider, ask())).status == 504

    run(work())


def test_closing_an_answer_ends_the_upstream_request_and_keeps_what_was_used() -> None:
    async def work() -> None:
        async with upstream(lambda _: [head(), event(delta("하나")), HANG]) as (provider, played):
            answer = await provider.chat(ask())
            events = answer.__aiter__()
            assert await anext(events) == ContentPart(0, "하나")
            waiting = asyncio.ensure_future(anext(events, None))
            await asyncio.sleep(0)
            await answer.aclose()
            assert await waiting is None
            while not played.left:
                await asyncio.sleep(0.001)
            assert answer.usage.completion == 1
            assert answer.usage.prompt > 0

    run(work())


def test_an_upstream_that_is_away_at_the_start_is_asked_later() -> None:
    async def work() -> None:
        played = PlayedUpstream(lambda _: reply("왔어요"))
        async with played.listening():
            played.healthy = False
            provider = UpstreamProvider.of(UpstreamSettings(played.url, "k1"), {})
            await provider.look()
            assert (await refused(provider, ask())).status == 502
            played.healthy = True
            assert texts(await read(await provider.chat(ask()))) == "왔어요"
            await provider.close()

    run(work())


def test_prompt_scores_are_those_of_the_prompts_own_tokens() -> None:
    def script(asked: Any) -> list[Step]:
        if asked.path == "/tokenize":
            return [head(200, "application/json"), json.dumps({"tokens": [5, 6], "token_strs": ["가", "나"]}).encode()]
        if asked.path == "/detokenize":
            text = "".join({5: "가", 6: "나"}[one] for one in asked.body["tokens"])
            return [head(200, "application/json"), json.dumps({"prompt": text}).encode()]
        assert asked.body["prompt"] == [[5, 6]]
        assert "stream" not in asked.body
        likely = {"logprob": -0.1, "rank": 1, "decoded_token": "다"}
        found = [None, {"6": {"logprob": -2.0, "rank": 3, "decoded_token": "나"}, "8": likely}]
        choice = {"index": 0, "text": "x", "finish_reason": "length", "prompt_logprobs": found}
        body = {"choices": [choice], "usage": {"prompt_tokens": 2, "completion_tokens": 1}}
        return [head(200, "application/json"), json.dumps(body).encode()]

    async def work() -> None:
        async with upstream(script) as (provider, _):
            call = TextCall("k1", ("가나",), SamplingParams(prompt_logprobs=1), generate=False)
            answer = await provider.complete(call)
            scores, end = await read(answer)
            assert isinstance(scores, PromptScores)
            assert [(one.id, one.logprob, one.rank) for one in scores.scores] == [(5, None, None), (6, -2.0, 3)]
            assert [one.id for one in scores.scores[1].top] == [8]
            assert end == Finished(0, "length")
            assert answer.usage == Usage(2, 0)
            assert (await provider.tokenize(TokenizeCall("k1", ids=(5, 6)))).pieces == ("가", "나")

    run(work())


def test_embeddings_have_length_one() -> None:
    body = {
        "data": [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [3, 4]}],
        "usage": {"prompt_tokens": 4},
    }

    async def work() -> None:
        async with upstream(lambda _: refusal(200, body), "openai") as (provider, _):
            made = await provider.embed(EmbedCall("k1", ("가", "나")))
            assert made.vectors == (pytest.approx((0.6, 0.8)), (0.0, 1.0))
            assert made.usage == Usage(4)

    run(work())


@pytest.mark.parametrize(
    "url",
    ["ftp://a/v1", "http:///v1", "http://me:pw@a/v1", "http://a/v1?x=1", "http://a/v1#x", "http://a:port/v1", "a/v1"],
)
def test_an_address_that_is_none_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        checked_url(url)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="holds no key"):
        UpstreamProvider.of(UpstreamSettings("http://a/v1", "k1", key_variable="NONE"), {})
    with pytest.raises(ValueError, match="no kind of upstream"):
        dialect("vlm")
    with pytest.raises(ValueError, match="no ability"):
        UpstreamProvider.of(UpstreamSettings("http://a/v1", "k1", allow=("magic",)), {})
    with pytest.raises(ValueError, match="weight"):
        UpstreamSettings("http://a/v1", "k1", weight=0)


def test_the_operator_learns_which_models_there_are(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with PlayedUpstream(lambda _: reply("네"), model="other").listening() as played:
            provider = UpstreamProvider.of(UpstreamSettings(played.url, "k1"), {})
            await provider.look()
            assert "it has: other" in caplog.text
            assert "other" not in (await refused(provider, ask())).message
            await provider.close()

    run(work())


def test_one_connection_serves_one_answer_after_another() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                raw = await reader.readuntil(b"\r\n\r\n")
                size = next(line for line in raw.lower().split(b"\r\n") if line.startswith(b"content-length"))
                await reader.readexactly(int(size.split(b":")[1]))
                body = event(delta("네", "stop")) + DONE
                start = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                writer.write(start + f"{len(body):x}\r\n".encode() + body + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)  # the end of the reply comes a moment after [DONE]
                writer.write(b"0\r\n\r\n")
        writer.close()

    async def work() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        provider = UpstreamProvider.of(UpstreamSettings(url, "k1", kind="vllm"), {})
        for _ in range(3):
            assert texts(await read(await provider.chat(ask()))) == "네"
        await provider.close()
        server.close()
        assert connections == 1

    run(work())


def test_a_server_that_goes_on_behind_done_is_left() -> None:
    async def work() -> None:
        async with upstream(lambda _: [*reply("네"), HANG]) as (provider, _):
            assert texts(await read(await provider.chat(ask()))) == "네"

    run(work())


@pytest.mark.parametrize(
    "logprobs",
    [chance("가", "가".encode()), {"tokens": ["가"], "token_logprobs": [-0.5], "top_logprobs": [{"가": -0.5}]}],
)
def test_completions_have_scores_in_either_form(logprobs: dict[str, Any]) -> None:
    choice = {"index": 0, "text": "가", "logprobs": logprobs, "finish_reason": "length"}

    async def work() -> None:
        async with upstream(lambda _: [head(), event({"choices": [choice]}), DONE]) as (provider, _):
            call = TextCall("k1", ("나",), SamplingParams(logprobs=1, max_tokens=1))
            part, _end = await read(await provider.complete(call))
            assert isinstance(part, ContentPart)
            (score,) = part.scores
            assert (score.token, score.data, score.logprob, score.top[0].token) == ("가", "가".encode(), -0.5, "가")

    run(work())
