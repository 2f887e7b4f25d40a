"""What every provider keeps, whatever answers behind it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from axk1.chat import template
from axk1.chat.messages import Message, Tool
from axk1.chat.sampling import SamplingParams
from axk1.export.huggingface import save
from axk1.server.calls import ChatCall, EmbedCall, Finished, Provider, TextCall, Thinking, TokenizeCall, ToolChoice
from axk1.server.engine.provider import EngineProvider
from axk1.server.errors import ApiError
from axk1.tokenizer.train import train
from server.answers import asked, backend, chat, complete, done, read
from server.behind import BehindServer
from server.serving import AppOf, listening
from tiny_models import tiny_model

SEEDS = range(6)
TOOLS = (Tool("set", "켜기", {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}),)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("provided") / "model"
    model = tiny_model(bos_token_id=0, eos_token_id=1, vocab_size=330, max_position_embeddings=256)
    tokenizer = train(["거실 불을 켜 줘. 네, 거실 불을 켰어요.\n"] * 8, 320)
    save(model.state_dict(), model.config, path, tokenizer.files() | template.files())
    return path


@pytest.fixture(scope="module", params=["engine", "upstream"])
def provider(
    request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Provider]:
    """Each kind of provider in turn, all of the same random model; the upstream is our own server, over HTTP."""
    engine = EngineProvider.open(folder, "tiny", backend=backend())
    if request.param == "engine":
        yield engine
    else:
        with listening(AppOf(tmp_path_factory.mktemp("upstream"), engine)) as url:
            far = BehindServer(f"{url}/v1", "tiny")
            yield far
            done(far.close())
    done(engine.close())


def test_the_card_says_what_there_is(provider: Provider) -> None:
    card = provider.card
    assert (card.name, card.thinking, card.tools, card.logprobs) == ("tiny", True, True, True)
    assert card.context is None or card.context == 256
    assert card.created > 1_500_000_000


def test_at_temperature_0_an_answer_is_always_the_same(provider: Provider) -> None:
    (first,), usage = chat(provider, asked())
    (again,), _ = chat(provider, asked())
    assert (first.content, first.end) == (again.content, again.end)
    assert usage.completion == 40
    assert usage.reasoning == 0
    assert usage.prompt > 0
    assert first.end == Finished(0, "length")


def test_neighbours_never_change_an_answer(provider: Provider) -> None:
    calls = [asked(text, temperature=1.0, seed=seed) for seed, text in enumerate(["가", "나 다", "라 마 바", "사"] * 3)]

    async def together() -> list[str]:
        answers = await asyncio.gather(*(provider.chat(call) for call in calls))
        found = await asyncio.gather(*(read(answer) for answer in answers))
        return [said[0].content for said, _ in found]

    assert done(together()) == [chat(provider, call)[0][0].content for call in calls]


def test_choices_are_those_of_the_following_seeds(provider: Provider) -> None:
    many, usage = chat(provider, asked(n=3, temperature=1.0, seed=5))
    alone = [chat(provider, asked(temperature=1.0, seed=5 + place)) for place in range(3)]
    assert [one.content for one in many] == [said[0].content for said, _ in alone]
    assert usage.completion == sum(one.completion for _, one in alone)
    assert usage.prompt == alone[0][1].prompt


def test_without_a_seed_every_answer_is_another(provider: Provider) -> None:
    many, _ = chat(provider, asked(n=4, temperature=1.0, seed=None))
    assert len({one.content for one in many}) == 4


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_spell_the_answer_and_nothing_else(provider: Provider, seed: int) -> None:
    call = asked(temperature=1.2, seed=seed, logprobs=2, thinking=Thinking(seed % 2 == 1, 5))
    (said,), _ = chat(provider, call)
    assert b"".join(score.data for score in said.scores).decode() == said.content
    for score in said.scores:
        assert score.data
        assert score.logprob is not None
        assert score.logprob <= 0
        assert [one.rank for one in score.top] == [1, 2]
        assert score.top[0].logprob >= score.logprob  # type: ignore[operator]


@pytest.mark.parametrize("budget", [None, 1, 7])
def test_reasoning_keeps_its_budget(provider: Provider, budget: int | None) -> None:
    for seed in SEEDS:
        (said,), usage = chat(provider, asked(temperature=1.0, seed=seed, thinking=Thinking(True, budget)))
        assert usage.reasoning <= (40 if budget is None else budget)
        assert bool(said.reasoning) <= bool(usage.reasoning)


@pytest.mark.parametrize("thinking", [Thinking(), Thinking(True, 0)])
def test_without_thinking_there_is_none(provider: Provider, thinking: Thinking) -> None:
    (said,), usage = chat(provider, asked(thinking=thinking))
    assert (said.reasoning, usage.reasoning) == ("", 0)
    assert said.content == chat(provider, asked())[0][0].content


def test_a_stop_text_is_never_seen(provider: Provider) -> None:
    (whole,), _ = chat(provider, asked(logprobs=0))
    stop = whole.content[4:7]
    (said,), usage = chat(provider, asked(logprobs=0, stop=("없는 말", stop)))
    assert said.content == whole.content[: whole.content.index(stop)]
    assert said.end == Finished(0, "stop", stop)
    assert b"".join(score.data for score in said.scores).decode() == said.content
    assert usage.completion < 40


@pytest.mark.parametrize("mode", ["auto", "required", "none"])
def test_calls_are_well_formed(provider: Provider, mode: str) -> None:
    for seed in SEEDS:
        call = asked(temperature=1.0, seed=seed, max_tokens=120, tools=TOOLS, tool_choice=ToolChoice(mode))  # type: ignore[arg-type]
        (said,), _ = chat(provider, call)
        assert said.end is not None
        assert "tool_call" not in said.content
        if mode == "none":
            assert not said.calls
        elif mode == "required":
            assert said.calls
            assert not said.content
        if said.calls:
            assert {name for _, name, _ in said.calls} == {"set"}
            assert said.end.reason in ("tool_calls", "length")
            assert len({id_ for id_, _, _ in said.calls}) == len(said.calls)


@pytest.mark.parametrize("n", [1, 2])
def test_many_prompts_and_samples(provider: Provider, n: int) -> None:
    prompts = ("거실", "불을 켜", (5, 20, 21))
    params = SamplingParams(temperature=1.0, seed=3, max_tokens=6, logprobs=1, prompt_logprobs=1)
    said, usage = complete(provider, TextCall("tiny", prompts, params, n))
    assert len(said) == 3 * n
    assert usage.completion == sum(len(one.scores) for one in said)
    for place, one in enumerate(said):
        (alone,), _ = complete(provider, TextCall("tiny", (prompts[place // n],), replace(params, seed=3 + place % n)))
        assert one.content == alone.content
        assert one.prompt is not None
        assert alone.prompt is not None
        assert [score.id for score in one.prompt] == [score.id for score in alone.prompt]
        found, wanted = [[score.logprob for score in scores[1:]] for scores in (one.prompt, alone.prompt)]
        assert found == pytest.approx(wanted, abs=1e-4)  # the batch is another, and so is the rounding
        assert b"".join(score.data for score in one.scores).decode() == one.content


def test_a_prompt_is_only_read(provider: Provider) -> None:
    params = SamplingParams(temperature=0, prompt_logprobs=0, max_tokens=5)
    (said,), usage = complete(provider, TextCall("tiny", ("거실 불을 켜 줘.",), params, generate=False))
    assert (said.content, said.end, usage.completion) == ("", Finished(0, "length"), 0)
    assert said.prompt is not None
    assert said.prompt[0].logprob is None
    assert all(score.logprob is not None and math.isfinite(score.logprob) for score in said.prompt[1:])
    assert b"".join(score.data for score in said.prompt).decode() == "거실 불을 켜 줘."


def test_a_prompt_that_is_too_long_is_refused_with_both_numbers(provider: Provider) -> None:
    for call in (asked("거실 " * 300), asked(max_tokens=250)):
        with pytest.raises(ApiError, match=r"256") as caught:
            done(provider.chat(call))
        assert (caught.value.status, caught.value.code) == (400, "context_length_exceeded")


def test_an_answer_that_is_closed_ends(provider: Provider) -> None:
    async def close_early() -> int:
        answer = await provider.chat(asked(n=2, ignore_eos=True, max_tokens=200))
        seen = 0
        async for _ in answer:
            seen += 1
            if seen == 3:
                await answer.aclose()
        await answer.aclose()
        return answer.usage.completion

    assert 0 < done(close_early()) < 400


def test_vectors_have_length_1(provider: Provider) -> None:
    if not provider.card.embeddings:
        pytest.skip("it makes none")
    made = done(provider.embed(EmbedCall("tiny", ("거실", "불을 켜", (5, 6)))))
    assert [sum(x * x for x in one) for one in made.vectors] == pytest.approx([1.0] * 3)
    assert made.usage.prompt > 3


def test_ids_and_text(provider: Provider) -> None:
    if not provider.card.tokenizer:
        pytest.skip("it has none")
    found = done(provider.tokenize(TokenizeCall("tiny", text="거실 불을")))
    assert "".join(found.pieces) == found.text == "거실 불을"
    assert done(provider.tokenize(TokenizeCall("tiny", ids=found.ids))) == found
    call = ChatCall("tiny", (Message("user", "거실"),))
    assert len(done(provider.tokenize(TokenizeCall("tiny", chat=call))).ids) == chat(provider, call_of(call))[1].prompt


def call_of(call: ChatCall) -> ChatCall:
    return replace(call, sampling=SamplingParams(max_tokens=1))
