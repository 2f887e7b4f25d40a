"""Our engine as a provider: what only it promises, and what random models do to it."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from axk1.chat import template
from axk1.chat.messages import Message, Tool
from axk1.chat.sampling import SamplingParams
from axk1.engine.engine import Limits
from axk1.export.huggingface import save
from axk1.server.calls import ChatCall, EmbedCall, Finished, TextCall, Thinking, TokenizeCall, ToolChoice
from axk1.server.engine.provider import EngineProvider
from axk1.server.errors import ApiError
from axk1.tokenizer.tokenizer import Tokenizer
from server.answers import TAGS, Said, asked, backend, chat, complete, done, objects, read
from tiny_models import tiny_model

LIGHT = {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"], "additionalProperties": False}
TOOLS = (
    Tool("light", "전등", LIGHT),
    Tool("일정", "", {"type": "object", "properties": {"day": {"enum": ["월", "화"]}}}),
)
ANSWER = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
SEEDS = range(5)


def idle(provider: EngineProvider) -> bool:
    """Whether the engine comes to rest with all blocks free."""
    loop = provider.engine._loop
    end = time.monotonic() + 20
    while loop._jobs or loop.waiting:
        assert time.monotonic() < end, "still busy"
        time.sleep(0.005)
    return loop._scheduler.pool.free == len(loop._scheduler.pool._references)


def biased(provider: EngineProvider, name: str, by: float = 100.0) -> dict[int, float]:
    return {provider.engine.tokenizer.named_ids[name]: by}  # type: ignore[union-attr]


def refused(provider: EngineProvider, call: ChatCall) -> ApiError:
    with pytest.raises(ApiError) as caught:
        done(provider.chat(call))
    return caught.value


def test_the_answer_is_the_engines(provider: EngineProvider, tokenizer: Tokenizer) -> None:
    call = asked("거실 불을 켜 줘")
    text = template.render(call.messages, add_generation_prompt=True)
    (alone,) = provider.engine.generate(tokenizer.encode(text), replace(call.sampling, stop_token_ids=(0, 1)))
    (said,), usage = chat(provider, call)
    assert said.content
    assert alone.text.startswith(said.content[:10])
    assert usage.prompt == len(alone.prompt_token_ids)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_tag_is_ever_seen_whatever_the_model_writes(provider: EngineProvider, seed: int) -> None:
    """A random model that likes tags, at high temperature, with tools and without."""
    named = provider.engine.tokenizer.named_ids  # type: ignore[union-attr]
    likes = {named[tag]: 3.0 for tag in TAGS if tag != "<|im_end|>"}
    call = asked(temperature=1.5, seed=seed, n=2, max_tokens=100, logit_bias=likes, logprobs=0)
    for tools in ((), TOOLS):
        for thinking in (Thinking(), Thinking(True, 20)):
            for said in chat(provider, replace(call, tools=tools, thinking=thinking))[0]:
                assert not [tag for tag in TAGS if tag in said.content]
                assert "think>" not in said.reasoning
                assert b"".join(score.data for score in said.scores).decode() == said.content
                assert tools or not said.calls


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("parallel", [True, False])
def test_a_model_that_calls_writes_what_the_schemas_allow(provider: EngineProvider, seed: int, parallel: bool) -> None:
    call = asked(
        temperature=1.0,
        seed=seed,
        max_tokens=200,
        tools=TOOLS,
        tool_choice=ToolChoice(parallel=parallel),
        logit_bias=biased(provider, "<tool_call>", 4.0),
    )
    (said,), _ = chat(provider, call)
    assert said.end is not None
    finished = said.calls if said.end.reason != "length" else said.calls[:-1]
    for (_, name, arguments), value in zip(finished, map(json.loads, (one[2] for one in finished)), strict=True):
        assert name in ("light", "일정"), arguments
        assert set(value) == {"on"} if name == "light" else value.get("day") in (None, "월", "화")
    if not parallel:
        assert len(said.calls) <= 1
    if said.calls and said.end.reason != "length":
        assert said.end.reason == "tool_calls"


@pytest.mark.parametrize("thinking", [Thinking(), Thinking(True, 6)])
def test_a_required_call_is_made(provider: EngineProvider, thinking: Thinking) -> None:
    choice = ToolChoice("required", names=("light",), parallel=False)
    for seed in SEEDS:
        call = asked(temperature=1.0, seed=seed, tools=TOOLS, tool_choice=choice, thinking=thinking, max_tokens=100)
        (said,), usage = chat(provider, call)
        assert said.end == Finished(0, "tool_calls")
        assert (said.content, [name for _, name, _ in said.calls]) == ("", ["light"])
        assert objects(said)[0].keys() == {"on"}
        assert usage.reasoning <= 6


def test_a_call_comes_as_it_is_written(provider: EngineProvider) -> None:
    """Its name before its arguments end; ids stay and nobody can guess them."""
    text = {"type": "object", "properties": {"text": {"type": "string", "minLength": 40}}, "required": ["text"]}
    call = asked(tools=(Tool("say", "", text),), tool_choice=ToolChoice("required"), max_tokens=350)

    async def events() -> list[str]:
        return [type(event).__name__ async for event in await provider.chat(call)]

    kinds = done(events())
    assert kinds[0] == "ToolCallBegin"
    assert kinds.count("ToolArguments") > 10
    first, second = (chat(provider, call)[0][0].calls[0][0] for _ in range(2))
    assert first.startswith("call_")
    assert first != second
    assert len(first) > 20


def test_a_structure_binds_the_answer_behind_the_reasoning(provider: EngineProvider) -> None:
    for seed in SEEDS:
        call = asked(
            temperature=1.0, seed=seed, max_tokens=100, json_schema=ANSWER, thinking=Thinking(True, 5), logprobs=0
        )
        (said,), usage = chat(provider, call)
        assert json.loads(said.content).keys() == {"ok"}
        assert usage.reasoning <= 5


def test_a_structure_or_a_call(provider: EngineProvider) -> None:
    seen = set()
    for seed in range(14):
        for shape in ({"json_schema": ANSWER}, {"regex": r"https?:\/\/[a-c]{3}/x"}):
            call = asked(temperature=2.0, seed=seed, tools=TOOLS, max_tokens=100, **shape)
            (said,), _ = chat(provider, call)
            seen.add(bool(said.calls))
            if not said.calls and "regex" in shape:
                assert said.content.startswith("http")
                assert said.content.endswith("/x")
            elif not said.calls:
                assert json.loads(said.content).keys() == {"ok"}
    assert seen == {True, False}


def test_no_call_is_possible_where_no_tools_are_offered(provider: EngineProvider) -> None:
    """A bias of 100 for the token that begins one does not help."""
    for changes in ({}, {"tools": TOOLS, "tool_choice": ToolChoice("none")}):
        (said,), usage = chat(provider, asked(logit_bias=biased(provider, "<tool_call>"), logprobs=0, **changes))
        assert not said.calls
        assert said.content
        assert usage.completion <= 40


@pytest.mark.parametrize("budget", [1, 3])
def test_the_budget_ends_the_reasoning(provider: EngineProvider, budget: int) -> None:
    never = biased(provider, "</think>", -100.0)
    call = asked(thinking=Thinking(True, budget), logit_bias=never, ignore_eos=True)
    (said,), usage = chat(provider, call)
    assert (usage.reasoning, usage.completion) == (budget, 40)
    assert said.content


def test_stop_texts_count_in_the_answer_alone(provider: EngineProvider) -> None:
    call = asked(thinking=Thinking(True, 12), max_tokens=60, logit_bias=biased(provider, "</think>", -100.0))
    (whole,), _ = chat(provider, call)
    (said,), _ = chat(provider, replace(call, sampling=replace(call.sampling, stop=(whole.reasoning[:2],))))
    assert whole.reasoning
    assert said.reasoning == whole.reasoning
    (said,), _ = chat(provider, replace(call, sampling=replace(call.sampling, stop=(whole.content[3:5],))))
    assert said.content == whole.content[: whole.content.index(whole.content[3:5])]


def test_a_turn_ends_unless_its_end_is_to_be_ignored(provider: EngineProvider) -> None:
    for name in ("<|im_end|>", "<|endoftext|>"):
        call = asked(logit_bias=biased(provider, name))
        (said,), usage = chat(provider, call)
        assert (said.content, said.end, usage.completion) == ("", Finished(0, "stop"), 1)
        (said,), usage = chat(provider, replace(call, sampling=replace(call.sampling, ignore_eos=True)))
        assert (said.end, usage.completion) == (Finished(0, "length"), 40)
    (token,) = biased(provider, "<|im_end|>")
    (said,), _ = chat(provider, asked(logit_bias={token: 100.0}, stop_token_ids=(token,)))
    assert said.end == Finished(0, "stop", token)


def test_tokens_from_the_cache_are_counted_of_every_prompt(provider: EngineProvider) -> None:
    prompts = ("가나다라 마바사 아자차카 " * 3, "타파하 거너더러 머버서 " * 3)
    call = TextCall("tiny", prompts, SamplingParams(temperature=0, max_tokens=1))
    _, first = complete(provider, call)
    _, second = complete(provider, call)
    assert second.prompt == first.prompt
    assert second.prompt - 2 * 4 <= second.cached < second.prompt


@pytest.mark.parametrize(
    ("parameters", "fits"),
    [
        ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {}}, True),
        ({}, True),
        ({"properties": {"x": {"$ref": "#/definitions/x"}}, "definitions": {"x": {"type": "integer"}}}, True),
        ({"properties": {"x": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "integer"}}}, True),
        ({"type": "object", "properties": {"x": {"$ref": "#/definitions/missing"}}}, False),
        ({"type": "object", "properties": {"x": {"type": ["<", "im_end", ">"]}}}, False),
        ({"type": "object", "properties": {"x": {"type": "string", "pattern": "("}}}, False),
    ],
)
def test_a_schema_is_followed_or_its_tool_is_named(
    provider: EngineProvider, parameters: dict[str, Any], fits: bool
) -> None:
    tools = (TOOLS[0], Tool("odd", "", parameters))
    call = asked(tools=tools, tool_choice=ToolChoice("required", names=("odd",)), max_tokens=150, temperature=1.0)
    if fits:
        (said,), _ = chat(provider, call)
        assert said.calls[0][1] == "odd"
        return
    for choice in (call.tool_choice, ToolChoice()):
        error = refused(provider, replace(call, tool_choice=choice))
        assert (error.status, error.param) == (400, "tools")
        assert "'odd'" in error.message
        assert "\n" not in error.message


def test_what_is_nested_too_deeply_is_refused(provider: EngineProvider) -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(3000):
        deep = {"type": "array", "items": deep}
    for thing in (deep, {"type": "object", "properties": {"x": deep}}):
        error = refused(provider, asked(tools=(Tool("deep", "", thing),)))
        assert error.status == 400


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"tool_choice": ToolChoice(names=("none",)), "tools": TOOLS}, "tool_choice"),
        ({"tool_choice": ToolChoice("required")}, "tool_choice"),
        ({"tools": TOOLS, "grammar": 'start: "a"'}, "tools"),
        ({"logit_bias": {99_999: 1.0}}, "logit_bias"),
        ({"json_schema": {"type": "nothing"}}, "response_format"),
        ({"regex": "("}, "response_format"),
        ({"max_tokens": 600}, "messages"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_field(
    provider: EngineProvider, changes: dict[str, Any], param: str
) -> None:
    error = refused(provider, asked(**changes))
    assert (error.status, error.param) == (400, param)
    assert "\n" not in error.message


def test_who_goes_frees_the_cache(provider: EngineProvider) -> None:
    """Closed early, dropped, or cancelled in the middle; with one choice and with several."""
    call = asked(max_tokens=400, ignore_eos=True)

    async def leave(how: str, n: int) -> None:
        answer = await provider.chat(replace(call, n=n))
        reader = asyncio.create_task(anext(aiter(answer)))
        if how == "cancelled":
            reader.cancel()
        else:
            await reader
        if how != "dropped":
            await answer.aclose()

    async def everyone() -> None:
        await asyncio.gather(
            *(leave(how, n) for how in ("closed", "cancelled", "dropped") for n in (1, 3)), return_exceptions=True
        )

    done(everyone())
    assert idle(provider)


def test_an_answer_that_is_closed_elsewhere_ends_for_its_reader(provider: EngineProvider) -> None:
    async def both(n: int) -> list[Any]:
        answer = await provider.chat(asked(n=n, max_tokens=400, ignore_eos=True))
        seen: list[Any] = []
        begun = asyncio.Event()

        async def reading() -> None:
            async for event in answer:
                seen.append(event)
                begun.set()

        reader = asyncio.create_task(reading())
        await begun.wait()
        await answer.aclose()
        await reader
        return seen

    for n in (1, 3):
        assert not [event for event in done(both(n)) if isinstance(event, Finished)]


def test_random_callers_get_what_they_would_get_alone(provider: EngineProvider) -> None:
    """Calls of every kind at once, some of which go away."""
    dice = random.Random(7)
    kinds: list[dict[str, Any]] = [
        {},
        {"n": 2, "logprobs": 1},
        {"thinking": Thinking(True, 5)},
        {"tools": TOOLS, "tool_choice": ToolChoice("required")},
        {"json_schema": ANSWER, "thinking": Thinking(True)},
        {"stop": ("불", "거")},
    ]
    calls = [asked(f"질문 {place}", temperature=1.0, seed=place, **dice.choice(kinds)) for place in range(30)]

    def spoken(said: list[Said]) -> list[Any]:
        return [(one.reasoning, one.content, [call[1:] for call in one.calls], one.end) for one in said]

    async def one(call: ChatCall, goes: bool) -> list[Any] | None:
        answer = await provider.chat(call)
        if not goes:
            return spoken((await read(answer))[0])
        async for _ in answer:
            break
        await answer.aclose()
        return None

    async def all_at_once() -> list[list[Any] | None]:
        return await asyncio.gather(*(one(call, place % 5 == 4) for place, call in enumerate(calls)))

    together = done(all_at_once())
    for call, found in zip(calls, together, strict=True):
        assert found is None or found == spoken(chat(provider, call)[0])
    assert idle(provider)


def test_a_full_queue_and_a_closed_engine_ask_to_come_again(folder: Path) -> None:
    limits = Limits(block_size=4, max_sequences=1, max_waiting=1)
    provider = EngineProvider.open(folder, backend=backend(), limits=limits)

    async def crowd() -> list[Any]:
        calls = (provider.chat(asked(n=2, max_tokens=300, ignore_eos=True)) for _ in range(3))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for answer in answers:
            if not isinstance(answer, BaseException):
                await answer.aclose()
        return answers

    errors = [one for one in done(crowd()) if isinstance(one, ApiError)]
    assert errors
    assert idle(provider), "what was refused half way left nothing"
    done(provider.close())
    for work in (provider.chat(asked()), provider.embed(EmbedCall("tiny", ("가",)))):
        with pytest.raises(ApiError) as caught:
            done(work)
        errors.append(caught.value)
    assert {(one.status, one.headers.get("Retry-After")) for one in errors} == {(503, "1")}


def test_the_end_of_the_server_is_told(folder: Path) -> None:
    provider = EngineProvider.open(folder, backend=backend())

    async def stopped(n: int) -> None:
        answer = await provider.chat(asked(n=n, max_tokens=400, ignore_eos=True))
        async for _ in answer:
            await provider.close()

    with pytest.raises(ApiError, match="the server stops") as caught:
        done(stopped(2))
    assert caught.value.status == 503


@pytest.mark.parametrize("speculation", ["off", "lookup"])
def test_speculation_changes_nothing(folder: Path, provider: EngineProvider, speculation: Any) -> None:
    other = EngineProvider.open(folder, "tiny", backend=backend(), speculation=speculation)
    for changes in (
        {"thinking": Thinking(True, 9)},
        {"tools": TOOLS, "tool_choice": ToolChoice("required")},
        {"json_schema": ANSWER, "thinking": Thinking(True, 9)},
        {"logprobs": 2, "stop": ("거",)},
    ):
        call = asked("가 가 가 가 가", max_tokens=80, **changes)
        (said,), usage = chat(other, call)
        (wanted,), wanted_usage = chat(provider, call)
        assert (said.reasoning, said.content, said.end) == (wanted.reasoning, wanted.content, wanted.end)
        assert [one[1:] for one in said.calls] == [one[1:] for one in wanted.calls]
        assert (usage.completion, usage.reasoning) == (wanted_usage.completion, wanted_usage.reasoning)
    done(other.close())


def test_a_folder_without_a_template_completes_and_does_not_chat(tmp_path: Path, tokenizer: Tokenizer) -> None:
    model = tiny_model(bos_token_id=0, eos_token_id=1, vocab_size=336)
    save(model.state_dict(), model.config, tmp_path / "base", tokenizer.files())
    provider = EngineProvider.open(tmp_path / "base", backend=backend())
    assert (provider.card.name, provider.card.tools, provider.card.thinking) == ("base", False, False)
    error = refused(provider, asked())
    assert (error.status, error.param) == (400, "messages")
    assert "chat template" in error.message
    (said,), _ = complete(provider, TextCall("base", ("거실",), SamplingParams(max_tokens=5)))
    assert said.end is not None
    done(provider.close())


def test_a_foreign_template_is_rendered_and_its_calls_are_read(tmp_path: Path, tokenizer: Tokenizer) -> None:
    """It knows no thinking and shows no tools; the calls are Hermes style, as ours."""
    source = "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}[assistant]"
    model = tiny_model(bos_token_id=0, eos_token_id=1, vocab_size=336, max_position_embeddings=512)
    files = {**tokenizer.files(), "chat_template.jinja": source.encode()}
    save(model.state_dict(), model.config, tmp_path / "other", files)
    provider = EngineProvider.open(tmp_path / "other", backend=backend())
    found = done(provider.tokenize(TokenizeCall("other", chat=asked("거실"))))
    assert found.text == "<|endoftext|>[user] 거실[assistant]"
    choice = ToolChoice("required", parallel=False)
    (said,), usage = chat(provider, asked(thinking=Thinking(True), tools=TOOLS, tool_choice=choice, max_tokens=90))
    assert len(said.calls) == 1
    assert usage.reasoning == 0
    done(provider.close())


def test_long_prompts_are_read_while_others_are_answered(provider: EngineProvider) -> None:
    """By another thread: the event loop goes on."""
    text = "거실 불을 켜 줘. " * 40_000

    async def ask() -> int:
        turns = 0
        asking = asyncio.create_task(provider.chat(ChatCall("tiny", (Message("user", text),))))
        while not asking.done():
            await asyncio.sleep(0)
            turns += 1
        assert isinstance(error := asking.exception(), ApiError)
        assert error.code == "context_length_exceeded"
        return turns

    assert done(ask()) > 20
