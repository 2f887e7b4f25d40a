"""Our gateway before our gateway: what comes through two servers is what comes from one."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from axk1.chat.messages import Message, Tool
from axk1.chat.sampling import SamplingParams
from axk1.server.calls import (
    Answer,
    ChatCall,
    ContentPart,
    EmbedCall,
    Event,
    Finished,
    Provider,
    TextCall,
    Thinking,
    TokenizeCall,
    TokenScore,
    ToolArguments,
    ToolCallBegin,
    Usage,
)
from axk1.server.errors import ApiError, bad_request
from axk1.server.settings import UpstreamSettings
from axk1.server.upstream.opening import open_upstreams
from axk1.server.upstream.provider import UpstreamProvider
from server.played import PlayedProvider, talk
from server.serving import AppOf, listening

WEATHER = Tool("weather", "", {"type": "object", "properties": {"city": {"type": "string"}}})
CALL = ChatCall("played", (Message("user", "가나 다라 🐯 마바사"),))


def tools(call: ChatCall) -> Sequence[Event | ApiError]:
    """Two calls for those who may call, the words for others; a refusal for one word."""
    if call.messages[-1].content == "400":
        return [bad_request("not so", "messages")]
    if not call.tools:
        return talk(call)
    return [
        ToolCallBegin(0, 0, "call_a", "weather"),
        ToolArguments(0, 0, '{"city": "서'),
        ToolArguments(0, 0, '울"}'),
        ToolCallBegin(0, 1, "call_b", "weather"),
        ToolArguments(0, 1, "{}"),
        Finished(0, "tool_calls"),
    ]


@pytest.fixture(scope="module")
def near() -> PlayedProvider:
    return PlayedProvider(tools)


@pytest.fixture(scope="module")
def url(near: PlayedProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(AppOf(tmp_path_factory.mktemp("near"), near)) as address:
        yield f"{address}/v1"


def far_of(url: str, environment: dict[str, str] | None = None) -> Any:
    return open_upstreams([UpstreamSettings(url, "played", key_variable="K")], environment or {"K": "key-blue"})[
        "played"
    ]


async def heard(answer: Answer) -> tuple[list[Event], Usage]:
    events = [event async for event in answer]
    return [_as_sent(one) for one in events], answer.usage


def _as_sent(event: Event) -> Event:
    """The API names no ids of tokens and no ranks of chosen ones."""
    if isinstance(event, ContentPart):
        return replace(event, scores=tuple(map(_bare, event.scores)))
    return event


def _bare(score: TokenScore) -> TokenScore:
    return replace(score, id=None, rank=None, top=tuple(map(_bare, score.top)))


@pytest.mark.parametrize(
    "call",
    [
        CALL,
        replace(CALL, thinking=Thinking(True)),
        replace(CALL, n=3, thinking=Thinking(True, 100)),
        replace(CALL, sampling=SamplingParams(logprobs=1)),
        replace(CALL, tools=(WEATHER,)),
        replace(CALL, sampling=SamplingParams(top_k=3, min_p=0.1, stop=("끝",), logit_bias={3: -1.0}, ignore_eos=True)),
    ],
)
def test_a_chat_is_the_same_through_two_servers(call: ChatCall, near: PlayedProvider, url: str) -> None:
    async def both(far: Provider) -> None:
        direct = await heard(await near.chat(call))
        assert await heard(await far.chat(call)) == direct
        assert near.calls[-1] == call
        await far.close()

    asyncio.run(both(far_of(url)))


def test_a_completion_is_the_same_through_two_servers(near: PlayedProvider, url: str) -> None:
    calls = [
        TextCall("played", ("가 나", "다"), SamplingParams(max_tokens=4), n=2),
        TextCall("played", ((1, 2),), SamplingParams(max_tokens=4, logprobs=0)),
    ]

    async def both(far: Provider) -> None:
        for call in calls:
            direct = await heard(await near.complete(call))
            assert await heard(await far.complete(call)) == direct
        await far.close()

    asyncio.run(both(far_of(url)))


def test_what_the_upstream_is_comes_from_itself(near: PlayedProvider, url: str) -> None:
    far = far_of(url)
    provider = far.seats[0].provider
    assert isinstance(provider, UpstreamProvider)
    assert (far.card.context, far.card.thinking, far.card.tokenizer) == (4096, True, True)

    async def rest() -> None:
        with pytest.raises(ApiError) as caught:
            await heard(await far.chat(replace(CALL, messages=(Message("user", "400"),))))
        assert (caught.value.status, caught.value.message) == (400, "not so")
        assert (await far.embed(EmbedCall("played", ("가",)))).vectors == ((1.0, 0.0),)
        assert (await far.tokenize(TokenizeCall("played", text="가 나"))).pieces == ("가", "나")
        await far.close()

    asyncio.run(rest())


def test_a_wrong_key_of_ours_is_not_the_clients_fault(url: str) -> None:
    async def work(far: Provider) -> None:
        with pytest.raises(ApiError) as caught:
            await far.chat(CALL)
        assert caught.value.status == 502
        assert "wrong" not in caught.value.message
        await far.close()

    asyncio.run(work(far_of(url, {"K": "wrong"})))
