"""Speculation changes the number of steps and nothing else: not a token, a probability, a text or a block."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from axk1 import Engine, SamplingParams
from axk1.chat.sampling import GREEDY
from axk1.engine import scheduler
from axk1.engine.engine import Limits
from axk1.engine.output import RequestOutput
from axk1.engine.speculation import LONGEST_PAUSE, Pace, Speculator, share_of_step
from axk1.engine.speculation_lookup import NgramIndex
from axk1.engine.step import Part

PROMPTS = [[5], [7, 8, 9, 10, 11, 12, 13], [90, 3, 3], list(range(1, 15)), [42, 41], list(range(20, 60)), [7, 8, 9, 10]]
FREE = replace(GREEDY, max_tokens=23, ignore_eos=True)
SAMPLED = SamplingParams(temperature=1.0, top_p=0.9, seed=4, max_tokens=23, ignore_eos=True)
SMALL = Limits(block_size=4, max_batch_tokens=16, max_sequences=3)


class Prophet:
    """Drafts what is known to come, with some tokens wrong: at every place of a draft, and sometimes none or all."""

    cost = 0.0

    def __init__(self, whole: Sequence[Sequence[int]], vocabulary: int) -> None:
        self.whole = [list(one) for one in whole]
        self.vocabulary = vocabulary

    def draft(self, parts: Sequence[Part], lengths: Sequence[int]) -> list[list[int]]:
        return [self._one(part.piece.sequence.tokens, length) for part, length in zip(parts, lengths, strict=True)]

    def _one(self, tokens: list[int], length: int) -> list[int]:
        coming = next((one[len(tokens) :] for one in self.whole if one[: len(tokens)] == tokens), [])
        draft = (coming + [0] * length)[:length]
        wrong = len(tokens) * 7 % 11  # place of the wrong token; beyond the draft: all right
        return [(one + (place == wrong)) % self.vocabulary for place, one in enumerate(draft)]

    def forget(self, sequence: scheduler.Sequence) -> None:
        pass


@pytest.fixture
def prophetic(open_engine: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Engine]:
    """Opens an engine that drafts what `expected` says, always as far as it may."""
    monkeypatch.setattr(Pace, "length", lambda self, _cost: self._longest)

    def open_(expected: Sequence[RequestOutput], **settings: Any) -> Engine:
        engine: Engine = open_engine(**settings)
        whole = [[*one.prompt_token_ids, *one.token_ids] for one in expected]
        engine._speculator = engine._loop._speculator = Speculator(Prophet(whole, engine.config.vocab_size), 7)
        return engine

    return open_


def plain(open_engine: Any, prompts: Any, params: Any, **settings: Any) -> list[RequestOutput]:
    """What comes out without speculation."""
    outputs: list[RequestOutput] = open_engine(speculation="off", **settings).generate(prompts, params)
    assert all(one.drafted_tokens == one.accepted_tokens == 0 for one in outputs)
    return outputs


def same(first: RequestOutput, second: RequestOutput) -> None:
    """All that a caller sees; probabilities up to NumPy's rounding, which depends on the rows of a product."""
    for name in ("prompt_token_ids", "text", "token_ids", "finish_reason", "stop_reason"):
        assert getattr(first, name) == getattr(second, name), name
    for name in ("logprobs", "prompt_logprobs"):
        ours, theirs = getattr(first, name) or (), getattr(second, name) or ()
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert (one is None) == (other is None)
            for token, entry in (one or {}).items():
                assert entry.rank == other[token].rank
                assert entry.logprob == pytest.approx(other[token].logprob, abs=1e-5)


def idle(engine: Engine) -> bool:
    pool, end = engine._loop._scheduler.pool, time.monotonic() + 20
    while engine._loop._jobs or engine._loop.waiting:
        assert time.monotonic() < end, "still busy"
        time.sleep(0.01)
    return pool.free == len(pool._references) and not engine._speculator._paces


def drafted(outputs: Sequence[RequestOutput]) -> tuple[int, int]:
    return sum(one.drafted_tokens for one in outputs), sum(one.accepted_tokens for one in outputs)


PARAMS = {
    "greedy": FREE,
    "sampled": SAMPLED,
    "hot": replace(SAMPLED, temperature=1.7, top_p=1.0, min_p=0.01, top_k=40, seed=9),
    "penalties": replace(SAMPLED, presence_penalty=0.4, frequency_penalty=0.3, repetition_penalty=1.2),
    "logprobs": replace(SAMPLED, logprobs=3, prompt_logprobs=2),
    "end tokens": replace(SAMPLED, ignore_eos=False, stop_token_ids=list(range(30, 60)), seed=2),
    "bias": replace(FREE, logit_bias={3: 4.0, 8: 3.5, 90: -50.0}),
}


@pytest.mark.parametrize("limits", [Limits(), SMALL, Limits(block_size=1, max_batch_tokens=3)], ids=str)
@pytest.mark.parametrize("name", PARAMS)
def test_what_comes_out_is_the_same(prophetic: Any, open_engine: Any, name: str, limits: Limits) -> None:
    expected = plain(open_engine, PROMPTS, PARAMS[name], limits=limits)
    engine = prophetic(expected, limits=limits)
    for _ in range(2):  # the second time from a warm cache
        found = engine.generate(PROMPTS, PARAMS[name])
        for ours, theirs in zip(found, expected, strict=True):
            same(ours, theirs)
        tried, right = drafted(found)
        assert limits.max_batch_tokens == 3 or 0 < right < tried, "some must be right and some wrong to prove anything"
    assert idle(engine)


@pytest.mark.parametrize("count", range(1, 12))
def test_a_completion_ends_within_a_draft(prophetic: Any, open_engine: Any, count: int) -> None:
    expected = plain(open_engine, PROMPTS, FREE)
    outputs = prophetic(expected).generate(PROMPTS, replace(FREE, max_tokens=count))
    for ours, theirs in zip(outputs, expected, strict=True):
        assert ours.token_ids == theirs.token_ids[:count]
        assert ours.finish_reason == "length"


def test_to_the_end_of_the_context_and_of_the_cache(prophetic: Any, open_engine: Any) -> None:
    to_the_end = replace(SAMPLED, max_tokens=None)
    for settings in ({}, {"limits": SMALL, "memory": 9 * 4 * 4 * 3 * 24}):  # the second has room for 36 tokens
        prompts = [prompt for prompt in PROMPTS if len(prompt) < 36]
        expected = plain(open_engine, prompts, to_the_end, **settings)
        engine = prophetic(expected, **settings)
        outputs = engine.generate(prompts, to_the_end)
        for ours, theirs in zip(outputs, expected, strict=True):
            same(ours, theirs)
            assert len(ours.prompt_token_ids) + len(ours.token_ids) == engine.context
        assert drafted(outputs)[1] > 20
        assert idle(engine)


def test_a_preempted_request_goes_on(prophetic: Any, open_engine: Any) -> None:
    expected = plain(open_engine, PROMPTS, replace(SAMPLED, prompt_logprobs=1, logprobs=1))
    engine = prophetic(expected, limits=Limits(block_size=4, max_batch_tokens=32), memory=18 * 4 * 4 * 3 * 24)
    preempted: list[int] = []
    forced = engine._loop._scheduler._preempt
    engine._loop._scheduler._preempt = lambda sequence: (preempted.append(1), forced(sequence))
    outputs = engine.generate(PROMPTS, replace(SAMPLED, prompt_logprobs=1, logprobs=1))
    for ours, theirs in zip(outputs, expected, strict=True):
        same(ours, theirs)
    assert preempted, "the cache must be too small to prove anything"
    assert drafted(outputs)[1] > 0
    assert idle(engine)


def test_cancelled_neighbours_leave_no_trace(prophetic: Any, open_engine: Any) -> None:
    expected = plain(open_engine, [PROMPTS[3]], FREE)
    engine = prophetic(expected, limits=SMALL)
    logits = engine._loop._backend.logits
    engine._loop._backend.logits = lambda batch: (time.sleep(0.005), logits(batch))[1]
    neighbours = [engine.stream([token, 2, 3], replace(FREE, max_tokens=None)) for token in range(60, 64)]
    stream = engine.stream(PROMPTS[3], FREE)
    for number, neighbour in enumerate(neighbours):
        if number % 2:
            next(neighbour)
        neighbour.close()
    same(stream.output(), expected[0])
    assert [neighbour.output().finish_reason for neighbour in neighbours] == ["cancelled"] * 4
    assert idle(engine)


def test_texts_stops_and_structures_are_the_same(prophetic: Any, open_engine: Any, talking: Any) -> None:
    texts = ["거실 불을", "def add(", "온도는 23도"]
    free = replace(SAMPLED, max_tokens=40)
    seen = plain(open_engine, texts, free, folder=talking.path)
    stops = [one.text[len(one.text) // 2 :][:3] for one in seen]
    asked = [
        free, replace(free, stop=stops, logprobs=1), replace(free, stop=stops[:1], seed=8),
        replace(free, regex=r"(불|켜|def|[a-z ]){1,20}\."), replace(free, json_schema={"type": "array"}, max_tokens=12),
    ]  # fmt: skip
    for params in asked:
        expected = plain(open_engine, texts, params, folder=talking.path)
        engine = prophetic(expected, folder=talking.path)
        found = engine.generate(texts, params)
        for ours, theirs in zip(found, expected, strict=True):
            same(ours, theirs)
        assert 0 < drafted(found)[1] <= drafted(found)[0]
        deltas = list(engine.stream(texts[0], params))
        assert "".join(delta.text for delta in deltas) == expected[0].text
        assert all(len(delta.token_ids) == 1 for delta in deltas)
        assert idle(engine)
    assert any(one.finish_reason == "stop" for one in expected) or seen


def test_readings_are_not_drafted_for(prophetic: Any, open_engine: Any) -> None:
    expected = plain(open_engine, PROMPTS, FREE)
    engine = prophetic(expected, limits=SMALL)
    np.testing.assert_allclose(engine.logits(PROMPTS[5]), open_engine().logits(PROMPTS[5]), atol=1e-5)
    np.testing.assert_allclose(engine.hidden(PROMPTS[5]), open_engine().hidden(PROMPTS[5]), atol=1e-5)
    assert engine.acceptance.drafted == 0


def test_drafts_save_steps_and_are_counted(prophetic: Any, open_engine: Any) -> None:
    expected = plain(open_engine, PROMPTS[:1], replace(FREE, max_tokens=60))
    engine = prophetic(expected)
    steps: list[int] = []
    logits = engine._loop._backend.logits
    engine._loop._backend.logits = lambda batch: (steps.append(len(batch.tokens_N)), logits(batch))[1]
    (output,) = engine.generate(PROMPTS[:1], replace(FREE, max_tokens=60))
    assert len(steps) < 30
    assert output.accepted_tokens == 60 - len(steps)
    assert output.drafted_tokens == sum(steps) - len(steps)
    assert (engine.acceptance.drafted, engine.acceptance.accepted) == (output.drafted_tokens, output.accepted_tokens)


def test_an_error_while_drafting_reaches_the_callers(prophetic: Any, open_engine: Any) -> None:
    engine = prophetic([])
    working = engine._speculator._drafter.draft
    engine._speculator._drafter.draft = lambda *_: 1 // 0
    with pytest.raises(ZeroDivisionError):
        engine.generate([[1]], FREE)
    engine._speculator._drafter.draft = working
    assert len(engine.generate([[1]], FREE)[0].token_ids) == 23
    assert idle(engine)


def distribution(model: Any, prompt: list[int], temperature: float, top_k: int) -> dict[tuple[int, ...], float]:
    """The exact probability of every completion of three tokens, from the torch model."""

    def step(tokens: list[int]) -> dict[int, float]:
        logits = model.logits(tokens)[-1].astype(np.float64) / temperature
        ids = np.argsort(-logits)[:top_k]
        weights = np.exp(logits[ids] - logits[ids].max())
        return dict(zip(ids.tolist(), (weights / weights.sum()).tolist(), strict=True))

    return {
        (a, b, c): p * q * r
        for a, p in step(prompt).items()
        for b, q in step([*prompt, a]).items()
        for c, r in step([*prompt, a, b]).items()
    }


def chi_square(counts: dict[tuple[int, ...], int], chances: dict[tuple[int, ...], float]) -> float:
    total = sum(counts.values())
    assert set(counts) <= set(chances)
    return sum((counts.get(one, 0) - total * chance) ** 2 / (total * chance) for one, chance in chances.items())


def test_the_distribution_is_that_of_the_model(prophetic: Any, tiny: Any) -> None:
    """Independent of any comparison of tokens: 3,000 seeds, all 27 beginnings of three tokens, chi-square with 26
    degrees of freedom (beyond 54.1 once in a thousand times). Drafts are always the likeliest completion."""
    prompt, params = [42, 41], SamplingParams(temperature=1.5, top_k=3, max_tokens=5, ignore_eos=True)
    chances = distribution(tiny, prompt, 1.5, 3)
    assert min(chances.values()) * 3000 > 5
    engine = prophetic([])
    likeliest = {one[:1]: one for one in sorted(chances, key=lambda one: chances[one])}
    engine._speculator._drafter.whole = [[*prompt, *one, 0, 0] for one in likeliest.values()]
    outputs = engine.generate([prompt] * 3000, [replace(params, seed=seed) for seed in range(3000)])
    tried, right = drafted(outputs)
    assert tried > 6000
    assert 1000 < right < tried - 1000
    counts: dict[tuple[int, ...], int] = {}
    for output in outputs:
        counts[output.token_ids[:3]] = counts.get(output.token_ids[:3], 0) + 1
    assert chi_square(counts, chances) < 54.1
    firsts = {one[0]: sum(chances[other] for other in chances if other[0] == one[0]) for one in chances}
    believed = {one: firsts[one[0]] * (likeliest[one[:1]] == one) for one in chances}
    careless = {one: 0.93 * chances[one] + 0.07 * believed[one] for one in chances}
    assert chi_square(counts, careless) > 54.1, "it must see a sampler that takes 7 % of the drafts unseen"


@given(st.lists(st.integers(0, 2), max_size=40), st.integers(1, 8), st.integers(1, 3), st.integers(0, 2))
def test_lookup_finds_what_followed_last(tokens: list[int], length: int, shortest: int, more: int) -> None:
    longest = shortest + more
    index = NgramIndex(longest, shortest)
    for end in range(1, len(tokens) + 1, 3):
        index.extend(tokens[:end], 2)
    while not index.extend(tokens, 2):
        pass
    expected: list[int] = []
    for size in range(longest, shortest - 1, -1):
        places = [end for end in range(size, len(tokens)) if tokens[end - size : end] == tokens[len(tokens) - size :]]
        if places and not expected:
            text = list(tokens)
            for number in range(length):
                text.append(text[places[-1] + number])
            expected = text[len(tokens) :]
    assert index.draft(tokens, length) == expected


def test_lookup_takes_a_long_prompt_in_pieces() -> None:
    index, tokens = NgramIndex(), [1, 2, 3, 4, 5] * 10
    assert not index.extend(tokens, 49)
    assert index.extend(tokens, 49)
    assert index.draft(tokens, 3) == [1, 2, 3]
    with pytest.raises(ValueError, match="1 <= shortest <= longest"):
        NgramIndex(2, 3)


def test_a_model_that_repeats_itself_is_drafted_by_lookup(open_engine: Any) -> None:
    """Sampled among two tokens with repetition made likely, the tiny model runs into loops."""
    looping = replace(FREE, max_tokens=100, logit_bias={11: 9.0, 12: 9.0})
    expected = plain(open_engine, PROMPTS, looping)
    engine = open_engine(speculation="lookup")
    outputs = engine.generate(PROMPTS, looping)
    for ours, theirs in zip(outputs, expected, strict=True):
        same(ours, theirs)
    assert drafted(outputs)[1] > 100
    assert idle(engine)
    assert not engine._speculator._drafter._indices, "nothing is left of a request"


def test_the_length_follows_what_comes_true() -> None:
    pace = Pace(longest=7)
    lengths = []
    for _ in range(20):
        lengths.append(pace.length(0.33))
        pace.saw(lengths[-1], lengths[-1])
    assert lengths == sorted(lengths)
    assert lengths[-1] == 7
    for _ in range(12):
        pace.saw(pace.length(0.33), 0)
    tries = []
    for step in range(2000):
        if pace.length(0.33):
            tries.append(step)
            pace.saw(1, 0)
    gaps = np.diff(tries)
    assert gaps.max() == LONGEST_PAUSE
    assert len(tries) < 16, "where nothing comes true, next to nothing is tried"
    while not pace.length(0.33):
        pass
    for _ in range(8):
        pace.saw(pace.length(0.33), pace.length(0.33))
    assert pace.length(0.33) >= 2, "and it comes back when it pays again"


def test_many_sequences_leave_no_room_for_guesses() -> None:
    pace = Pace(longest=7)
    for _ in range(10):
        pace.saw(1, 1)  # 92 % right
    assert [pace.length(share_of_step(tokens)) for tokens in (1, 4, 16)] == [7, 4, 1]
    for _ in range(3):
        pace.saw(1, 0)
    assert pace.length(share_of_step(1)) >= 1
    assert not pace.length(share_of_step(16))


def test_what_cannot_be_had_is_refused(open_engine: Any) -> None:
    with pytest.raises(ValueError, match="speculation must be one of auto, off, lookup, mtp, not 'fast'"):
        open_engine(speculation="fast")
    with pytest.raises(ValueError, match="no MTP layer that this back end can draft with"):
        open_engine(speculation="mtp")
