"""Sides: who owns what."""

from __future__ import annotations

import random

import pytest

from axk1.corpus.exercise import FIRST_OWNED, number, owns, pick, side_of


def test_about_one_key_in_eight_is_held_out():
    held_out = sum(side_of(f"key {index}") == "held_out" for index in range(20_000))
    assert 0.115 < held_out / 20_000 < 0.135


def test_side_is_fixed_for_good():
    """A changed hash would mix the sides of models trained before the change."""
    assert [number for number in range(13, 100) if owns("held_out", number)] == [
        25,
        26,
        37,
        39,
        59,
        61,
        63,
        64,
        80,
        82,
        91,
        96,
    ]


def test_small_numbers_are_shared_and_others_owned_once():
    for value in range(300):
        sides = [side for side in ("train", "held_out") if owns(side, value)]
        assert len(sides) == (2 if value < FIRST_OWNED else 1)


@pytest.mark.parametrize("side", ["train", "held_out"])
@pytest.mark.parametrize(("low", "high"), [(2, 99), (100, 999), (1000, 99_999)])
def test_number_keeps_to_its_side_and_range(side, low, high):
    rng = random.Random(0)
    drawn = [number(rng, low, high, side) for _ in range(2000)]
    assert all(low <= value <= high and owns(side, value) for value in drawn)
    assert min(drawn) < low + (high - low) / 4
    assert max(drawn) > high - (high - low) / 4


def test_range_without_a_number_of_the_side():
    with pytest.raises(ValueError, match="no number from 13 to 14"):
        number(random.Random(0), 13, 14, "held_out")


def test_pick_keeps_to_its_side():
    pool = [f"word {index}" for index in range(100)]
    rng = random.Random(0)
    train, held_out = ({pick(rng, pool, side) for _ in range(3000)} for side in ("train", "held_out"))
    assert not train & held_out
    assert train | held_out == set(pool)
    with pytest.raises(ValueError, match="held_out side"):
        pick(rng, [word for word in pool if side_of(word) == "train"], "held_out")
