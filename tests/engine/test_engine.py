"""The engine as its callers see it, against the torch model without a cache; and what must not matter does not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers, trainers

from axk1 import Engine, SamplingParams
from axk1.chat.sampling import GREEDY
from axk1.engine.engine import Limits
from axk1.engine.output import Delta
from engine_requests import FREE, PROMPTS, SAMPLED, SMALL, idle, ids


@pytest.mark.parametrize("limits", [Limits(), SMALL, Limits(block_size=1, max_batch_tokens=1)])
def test_greedy_tokens_equal_the_torch_model_without_a_cache(open_engine: Any, tiny: Any, limits: Limits) -> None:
    expected = [tiny.greedy(prompt, 12) for prompt in PROMPTS]
    assert ids(open_engine(limits=limits).generate(PROMPTS, FREE)) == expected
    assert len({tuple(one) for one in expected}) == len(PROMPTS), "the replies must differ to prove anything"


def test_logprobs_equal_those_of_the_torch_model(open_engine: Any, tiny: Any) -> None:
    params = replace(FREE, logprobs=4, prompt_logprobs=2)
    for prompt, output in zip(PROMPTS, open_engine(limits=SMALL).generate(PROMPTS, params), strict=True):
        whole = [*prompt, *output.token_ids]
        theirs = torch.tensor(tiny.logits(whole)).log_softmax(-1)
        assert output.prompt_logprobs[0] is None
        for place, found in enumerate([*output.prompt_logprobs[1:], *output.logprobs], 1):
            best = theirs[place - 1].topk(4 if place >= len(prompt) else 2)
            assert set(found) == {whole[place], *best.indices.tolist()}
            for token, entry in found.items():
                assert entry.logprob == pytest.approx(float(theirs[place - 1, token]), abs=1e-4)
                assert entry.rank == int((theirs[place - 1] > theirs[place - 1, token]).sum()) + 1


def test_logits_and_hidden_states_equal_the_torch_model(open_engine: Any, tiny: Any) -> None:
    engine = open_engine(limits=SMALL)
    for prompt in PROMPTS:
        np.testing.assert_allclose(engine.logits(prompt), tiny.logits(prompt), atol=1e-4)
        with torch.no_grad():
            states = tiny.model.hidden(torch.tensor([prompt]))[0][0].numpy()
        np.testing.assert_allclose(engine.hidden(prompt), states, atol=1e-4)
    mean = states.mean(axis=0)
    np.testing.assert_allclose(engine.embed([PROMPTS[-1]])[0], mean / np.linalg.norm(mean), atol=1e-5)
    with pytest.raises(ValueError, match="pooling must be mean or last"):
        engine.embed([[1]], pooling="max")
    last = engine.embed(PROMPTS[-1], pooling="last")
    np.testing.assert_allclose(last, states[-1:] / np.linalg.norm(states[-1]), atol=1e-5)


@pytest.mark.parametrize("params", [FREE, SAMPLED])
def test_a_warm_cache_changes_nothing(open_engine: Any, params: SamplingParams) -> None:
    engine = open_engine(limits=SMALL)
    cold = engine.generate(PROMPTS, params)
    warm = engine.generate(PROMPTS, params)
    assert ids(warm) == ids(cold)
    assert warm[5].cached_tokens == 36, "of 40 tokens the last block is computed, so that there is something to sample"
    assert max(output.cached_tokens for output in cold) <= 4


def test_a_prompt_in_the_cache_is_scored_all_the_same(open_engine: Any) -> None:
    engine = open_engine(limits=SMALL)
    params = replace(FREE, prompt_logprobs=0)
    cold, warm, rows = *[engine.generate([PROMPTS[5]], params)[0] for _ in range(2)], engine.logits(PROMPTS[5])
    assert warm.cached_tokens == 0
    assert len(rows) == len(warm.prompt_logprobs) == len(PROMPTS[5])
    for first, second in zip(cold.prompt_logprobs[1:], warm.prompt_logprobs[1:], strict=True):
        assert {token: one.rank for token, one in first.items()} == {token: one.rank for token, one in second.items()}


@pytest.mark.parametrize("params", [FREE, SAMPLED])
def test_pieces_of_a_prompt_and_neighbours_do_not_matter(open_engine: Any, params: SamplingParams) -> None:
    whole = [open_engine().generate([prompt], params)[0] for prompt in PROMPTS]
    pieces = open_engine(limits=Limits(block_size=4, max_batch_tokens=3)).generate(PROMPTS, params)
    many = open_engine().generate(PROMPTS, params)
    assert ids(whole) == ids(pieces) == ids(many)


@pytest.mark.parametrize("params", [FREE, SAMPLED, replace(FREE, prompt_logprobs=1, logprobs=1)])
def test_a_preempted_request_goes_on_as_if_nothing_had_been(open_engine: Any, params: SamplingParams) -> None:
    alone = [open_engine().generate([prompt], params)[0] for prompt in PROMPTS]
    cramped = open_engine(limits=Limits(block_size=4, max_batch_tokens=32), memory=14 * 4 * 4 * 3 * 24)
    preempted: list[int] = []
    forced = cramped._loop._scheduler._preempt
    cramped._loop._scheduler._preempt = lambda sequence: (preempted.append(1), forced(sequence))
    together = cramped.generate(PROMPTS, params)
    assert preempted, "the cache must be too small to prove anything"
    assert ids(together) == ids(alone)
    assert [one.prompt_logprobs is None for one in together] == [one.prompt_logprobs is None for one in alone]
    for first, second in zip(together, alone, strict=True):
        for ours, theirs in zip(first.prompt_logprobs or (), second.prompt_logprobs or (), strict=True):
            assert (ours and ours.keys()) == (theirs and theirs.keys())
    assert idle(cramped)


@settings(max_examples=25)
@given(
    prompts=st.lists(st.lists(st.integers(2, 4), min_size=1, max_size=24), min_size=1, max_size=8),
    block_size=st.integers(1, 5), budget=st.integers(1, 40), running=st.integers(1, 6), blocks=st.integers(40, 90),
)  # fmt: skip
def test_whatever_the_limits_the_tokens_are_those_of_the_torch_model(
    tiny: Any, prompts: list[list[int]], block_size: int, budget: int, running: int, blocks: int
) -> None:
    """Prompts that often begin alike, in caches that are often too small for all of them."""
    limits = Limits(block_size=block_size, max_batch_tokens=budget, max_sequences=running)
    with Engine.open(tiny.path, memory=blocks * 4 * 3 * 24, backend="reference", limits=limits) as engine:
        outputs = engine.generate(prompts, replace(FREE, max_tokens=6))
        assert idle(engine)
    for prompt, output in zip(prompts, outputs, strict=True):
        room = engine.context - len(prompt)
        assert list(output.token_ids) == tiny.greedy(prompt, min(6, room))


def test_eos_stop_tokens_and_limits(open_engine: Any, tiny: Any) -> None:
    engine = open_engine()
    free = tiny.greedy(PROMPTS[3], 12)
    at = next(place for place in range(2, 12) if free[place] not in free[:place])
    stopped = engine.generate([PROMPTS[3]], replace(FREE, stop_token_ids=[free[at]]))[0]
    assert list(stopped.token_ids) == free[: at + 1]
    assert (stopped.finish_reason, stopped.stop_reason) == ("stop", free[at])
    assert engine.generate([PROMPTS[3]], FREE)[0].finish_reason == "length"
    engine._reader.eos = frozenset({free[at]})
    ended = engine.generate([PROMPTS[3]], replace(FREE, ignore_eos=False))[0]
    assert (ended.token_ids, ended.finish_reason, ended.stop_reason) == (stopped.token_ids, "stop", None)
    assert list(engine.generate([PROMPTS[3]], FREE)[0].token_ids) == free


def test_the_context_ends_a_completion(open_engine: Any, tiny: Any) -> None:
    engine = open_engine()
    output = engine.generate([PROMPTS[5]], replace(FREE, max_tokens=None))[0]
    assert len(output.token_ids) == 128 - 40
    assert output.finish_reason == "length"
    assert list(output.token_ids) == tiny.greedy(PROMPTS[5], 88)
    assert len(engine.generate([[3] * 127], FREE)[0].token_ids) == 1
    assert engine.logits([3] * 128).shape == (128, 97)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ([], "a prompt is empty"),
        ([3, 97], "token id 97 is outside the model's vocabulary of 97"),
        ([-1], "token id -1 is outside"),
        ([1] * 129, "a prompt of 129 tokens is longer than the context of 128"),
        ([1] * 128, "a prompt of 128 tokens fills the whole context of 128"),
        ("text", "the folder has no tokenizer: give token ids"),
        ([1, "a"], "a prompt must be a text or a list of token ids"),
    ],
)
def test_a_bad_prompt_is_one_clear_error(open_engine: Any, prompt: Any, message: str) -> None:
    engine = open_engine()
    for call in (lambda: engine.generate([[1], prompt], FREE), lambda: engine.stream(prompt, FREE)):
        with pytest.raises(ValueError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert not engine._loop._jobs


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (SamplingParams(stop="a"), "stop texts cannot be had: the folder has no tokenizer"),
        (SamplingParams(regex="a"), "a structure cannot be had: the folder has no tokenizer"),
        (SamplingParams(logit_bias={97: 1.0}), "token id 97 is outside"),
        (SamplingParams(stop_token_ids=[970]), "token id 970 is outside"),
        ([GREEDY], "2 prompts but 1 sampling parameters"),
    ],
)
def test_parameters_that_do_not_fit_the_model_are_refused(open_engine: Any, params: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_engine().generate([[1], [2]], params)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory": "lots"}, "memory must be a size such as 6G"),
        ({"memory": 100}, "holds no block"),
        ({"threads": 0}, "threads must be at least 1"),
    ],
)
def test_absurd_settings_are_refused(open_engine: Any, settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_engine(**settings)


def test_a_cache_smaller_than_the_context_says_so(open_engine: Any) -> None:
    engine = open_engine(memory=4 * 16 * 4 * 3 * 24)
    assert engine.context == 64
    with pytest.raises(ValueError, match="context of 64 tokens that the cache can hold: give it more memory"):
        engine.generate([[1] * 65], FREE)


def test_a_seed_of_its_own_for_each_request_on_demand(open_engine: Any) -> None:
    engine = open_engine()
    drawn = engine.generate([[5]] * 4, replace(SAMPLED, seed=None, top_p=1.0))
    assert len({output.token_ids for output in drawn}) > 1
    seeds = [replace(SAMPLED, seed=seed) for seed in (1, 1, 2)]
    first, again, other = engine.generate([[5]] * 3, seeds)
    assert first.token_ids == again.token_ids != other.token_ids


def test_the_engine_is_a_token_completer(open_engine: Any, tiny: Any) -> None:
    engine = open_engine()
    engine._reader.eos = frozenset()
    assert engine.complete(PROMPTS[:2], 5) == [tiny.greedy(prompt, 5) for prompt in PROMPTS[:2]]
    assert Delta() == Delta(text="", token_ids=())


def test_nothing_loads_torch_and_the_package_alone_loads_nothing() -> None:
    code = (
        "import sys, axk1\nassert 'numpy' not in sys.modules and 'axk1.engine' not in sys.modules\n"
        "from axk1 import Engine, SamplingParams\nassert 'torch' not in sys.modules and 'llguidance' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_tokenizer_of_another_project_serves_text_too(open_engine: Any, make: Any) -> None:
    """Byte-level BPE with its own special tokens, as published models of this architecture have."""
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        special_tokens=["<｜begin▁of▁text｜>"],
    )
    backend.train_from_iterator(["거실 불을 켜 줘"], trainer)
    files = {"tokenizer.json": backend.to_str().encode()}
    folder = make(files=files, vocab_size=backend.get_vocab_size()).path
    (output,) = open_engine(folder).generate("거실 불을", FREE)
    assert list(output.prompt_token_ids) == backend.encode("거실 불을").ids
    decoded: str = backend.decode(list(output.token_ids), skip_special_tokens=True)
    assert output.text == decoded.replace("\ufffd", "")
