"""The sampler against distributions worked out by hand or by torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from axk1.chat.sampling import GREEDY, SamplingParams
from axk1.engine.sampler import adjusted, candidates, logprobs, sample, uniform

PROBABILITIES = [0.1, 0.4, 0.2, 0.3]
LOGITS = np.log(np.array(PROBABILITIES, np.float32)) + np.float32(3)


def shares(**settings: Any) -> list[float]:
    """How often each id is chosen, over evenly spread random numbers."""
    params = SamplingParams(**{"temperature": 1.0, "top_p": 1.0, **settings})
    chosen = [sample(LOGITS, params, number) for number in np.linspace(0, 0.9999, 2001)]
    return [chosen.count(one) / len(chosen) for one in range(4)]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, PROBABILITIES),
        ({"temperature": 0.0}, [0, 1, 0, 0]),
        ({"temperature": 0.5}, [1 / 30, 16 / 30, 4 / 30, 9 / 30]),
        ({"temperature": 1e-4}, [0, 1, 0, 0]),
        ({"top_k": 2}, [0, 4 / 7, 0, 3 / 7]),
        ({"top_k": 1}, [0, 1, 0, 0]),
        ({"top_k": 9}, PROBABILITIES),
        ({"top_k": -1}, PROBABILITIES),
        ({"top_p": 0.75}, [0, 4 / 9, 2 / 9, 3 / 9]),  # 0.4 + 0.3 do not reach 0.75, so 0.2 stays as well
        ({"top_p": 0.3}, [0, 1, 0, 0]),
        ({"top_p": 1e-9}, [0, 1, 0, 0]),
        ({"min_p": 0.49}, [0, 4 / 9, 2 / 9, 3 / 9]),
        ({"min_p": 0.6}, [0, 4 / 7, 0, 3 / 7]),
        ({"min_p": 1.0}, [0, 1, 0, 0]),
        ({"top_k": 3, "top_p": 0.7}, [0, 4 / 7, 0, 3 / 7]),  # 4/9 + 3/9 of the three reach 0.7
        ({"temperature": 0.5, "min_p": 0.3}, [0, 16 / 25, 0, 9 / 25]),  # min_p looks at tempered probabilities
    ],
)
def test_shares_by_hand(settings: dict[str, Any], expected: list[float]) -> None:
    assert shares(**settings) == pytest.approx(expected, abs=0.002)


@given(
    seed=st.integers(0, 1000), size=st.integers(2, 3000), top_k=st.integers(0, 50), top_p=st.floats(0.01, 1.0),
    temperature=st.floats(0.1, 3.0),
)  # fmt: skip
def test_the_candidates_are_those_of_a_plain_sort(
    seed: int, size: int, top_k: int, top_p: float, temperature: float
) -> None:
    """Against torch and a whole sort, with ties, for vocabularies on both sides of the short cut."""
    logits_V = np.random.default_rng(seed).integers(-60, 60, size).astype(np.float32) / 4
    ids, weights = candidates(logits_V, SamplingParams(temperature=temperature, top_k=top_k, top_p=top_p))
    probability = (torch.tensor(logits_V).double() / temperature).softmax(-1)
    order = sorted(range(size), key=lambda one: (-float(probability[one]), one))[: top_k or None]
    kept, total, mass = [], 0.0, float(probability[order].sum())
    for one in order:
        if total >= top_p * mass * (1 + 1e-12) and top_p < 1:
            break
        kept.append(one)
        total += float(probability[one])
    assert abs(len(ids) - len(kept)) <= 1  # the goal may be met exactly, but for rounding
    assert set(ids.tolist()[: len(kept) - 1]) <= set(kept) or top_p == 1
    assert len(set(ids.tolist())) == len(ids)
    np.testing.assert_allclose(weights / weights.sum(), probability[ids] / probability[ids].sum(), rtol=1e-5)


def test_random_numbers_follow_seed_and_step_alone() -> None:
    first = [uniform(7, step) for step in range(2000)]
    assert first == [uniform(7, step) for step in range(2000)]
    assert first[5:] != [uniform(8, step) for step in range(5, 2000)]
    assert min(first) >= 0
    assert max(first) < 1
    assert np.mean(first) == pytest.approx(0.5, abs=0.02)
    assert np.corrcoef(first[1:], first[:-1])[0, 1] == pytest.approx(0, abs=0.06)
    assert uniform(2**63 - 1, 10**6) != uniform(2**63 - 2, 10**6)


def test_penalties_by_hand() -> None:
    logits_V = np.array([2.0, -2.0, 1.0, 0.5, 0.0], np.float32)
    prompt, completion = [0, 1], [2, 2, 3]

    def after(**settings: Any) -> list[float]:
        changed: list[float] = adjusted(logits_V, SamplingParams(**settings), prompt, completion).tolist()
        return changed

    assert after() == logits_V.tolist()
    assert after(presence_penalty=0.5) == [2, -2, 0.5, 0, 0]
    assert after(frequency_penalty=0.5) == [2, -2, 0, 0, 0]
    assert after(presence_penalty=-1.0, frequency_penalty=0.5) == [2, -2, 1, 1, 0]
    assert after(repetition_penalty=2.0) == [1, -4, 0.5, 0.25, 0]
    assert after(logit_bias={4: 3.5, 0: -100}) == [-98, -2, 1, 0.5, 3.5]
    assert logits_V.tolist() == [2, -2, 1, 0.5, 0], "the model's own logits stay"


def test_a_mask_leaves_only_the_allowed() -> None:
    allowed_V = np.array([True, False, True, False])
    masked_V = adjusted(LOGITS, GREEDY, [], [], allowed_V)
    assert sample(masked_V, GREEDY, 0.0) == 2
    warm = SamplingParams(temperature=2.0, top_p=1.0)
    assert {sample(masked_V, warm, number) for number in np.linspace(0, 0.9999, 101)} == {0, 2}


def test_logprobs_equal_torch_and_hold_the_chosen_token() -> None:
    logits_V = np.random.default_rng(0).normal(0, 4, 500).astype(np.float32)
    theirs = torch.tensor(logits_V).log_softmax(-1)
    found = logprobs(logits_V, 17, 5)
    assert set(found) == {17, *theirs.topk(5).indices.tolist()}
    for token, entry in found.items():
        assert entry.logprob == pytest.approx(float(theirs[token]), abs=1e-5)
        assert entry.rank == int((theirs > theirs[token]).sum()) + 1
    assert set(logprobs(logits_V, 17, 0)) == {17}
    best = int(theirs.argmax())
    assert set(logprobs(logits_V, best, 1)) == {best}


def test_sampling_from_extreme_logits_is_finite() -> None:
    logits_V = np.array([3e38, -3e38, 0], np.float32)
    for temperature in (1.0, 5e-324, 1e300):
        assert sample(logits_V, SamplingParams(temperature=temperature, top_p=0.9), 0.0) == 0
    assert logprobs(logits_V, 1, 2)[1].logprob < -1e38
