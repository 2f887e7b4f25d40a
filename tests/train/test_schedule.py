"""The learning rate's shape, against values worked out by hand."""

import math

import pytest

from axk1.train.schedule import Schedule, wsd


def test_warmup_is_a_straight_line_that_ends_at_one() -> None:
    assert [wsd(step, 100, warmup=4, decay=0) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_linear_decay_begins_at_one_and_ends_one_step_above_the_final_factor() -> None:
    factors = [wsd(step, 10, warmup=0, decay=4, shape="linear") for step in range(10)]
    assert factors == [1.0] * 7 + [0.75, 0.5, 0.25]


def test_square_root_decay_falls_fast_then_slowly() -> None:
    factors = [wsd(step, 8, warmup=0, decay=4) for step in range(4, 8)]
    assert factors == pytest.approx([1.0, 0.5, 1 - math.sqrt(0.5), 1 - math.sqrt(0.75)])


def test_final_factor_is_approached() -> None:
    assert wsd(9, 10, warmup=0, decay=2, shape="linear", final=0.2) == pytest.approx(0.2 + 0.8 / 2)
    assert wsd(50, 10, warmup=0, decay=2, final=0.2) == pytest.approx(0.2)


def test_shares_become_steps() -> None:
    schedule = Schedule(warmup=0.1, decay=0.5, shape="linear")
    assert schedule.factor(0, 20) == 0.5
    assert schedule.factor(1, 20) == 1.0
    assert schedule.factor(15, 20) == 0.5


@pytest.mark.parametrize("wrong", [{"warmup": -0.1}, {"warmup": 0.6, "decay": 0.5}, {"final": 2.0}])
def test_impossible_shares_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"share|factor"):
        Schedule(**wrong)  # type: ignore[arg-type]
