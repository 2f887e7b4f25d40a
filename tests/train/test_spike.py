"""The guard calls out what a person would, and nothing else."""

import json
import random

import pytest

from axk1.train.spike import DivergenceError, SpikeConfig, SpikeGuard


def fed(config: SpikeConfig, steps: int = 64) -> SpikeGuard:
    rng = random.Random(0)
    guard = SpikeGuard(config)
    for step in range(steps):
        assert guard.judge(3.0 - step / 200 + rng.gauss(0, 0.02), abs(rng.gauss(1.0, 0.1))).kind == "ordinary"
    return guard


def test_an_ordinary_descent_is_silent_and_a_spike_is_named() -> None:
    guard = fed(SpikeConfig())
    verdict = guard.judge(5.0, 1.0)
    assert (verdict.kind, verdict.skip) == ("spike", False)
    assert verdict.reason.startswith("loss 5, median 2.8")


def test_a_gradient_spike_is_skipped_when_asked() -> None:
    verdict = fed(SpikeConfig(skip=True)).judge(2.7, 40.0)
    assert (verdict.kind, verdict.skip) == ("spike", True)
    assert "gradient norm 40" in verdict.reason
    assert "loss" not in verdict.reason


def test_a_sudden_drop_is_no_spike() -> None:
    assert fed(SpikeConfig()).judge(0.5, 0.01).kind == "ordinary"


def test_a_lasting_change_is_accepted_after_half_a_window() -> None:
    guard = fed(SpikeConfig(window=32, skip=True))
    kinds = [guard.judge(6.0, 1.0).kind for _ in range(40)]
    assert kinds[0] == "spike"
    assert kinds[20:] == ["ordinary"] * 20


def test_nothing_is_a_spike_before_the_quorum() -> None:
    guard = SpikeGuard(SpikeConfig(quorum=4))
    assert [guard.judge(loss, 1.0).kind for loss in (1.0, 100.0, 1.0, 1.0)] == ["ordinary"] * 4
    assert guard.judge(100.0, 1.0).kind == "spike"


@pytest.mark.parametrize(("loss", "norm"), [(float("nan"), 1.0), (1.0, float("inf"))])
def test_non_finite_steps_are_skipped_and_end_the_run_after_the_limit(loss: float, norm: float) -> None:
    guard = SpikeGuard(SpikeConfig(non_finite_limit=3))
    guard.judge(loss, norm)
    guard.judge(1.0, 1.0)  # a finite step begins the count anew
    assert guard.judge(loss, norm).skip
    assert "not finite" in guard.judge(loss, norm).reason
    with pytest.raises(DivergenceError, match="3 steps in a row"):
        guard.judge(loss, norm)


def test_the_state_survives_json() -> None:
    guard = fed(SpikeConfig())
    copy = SpikeGuard(SpikeConfig())
    copy.restore(json.loads(json.dumps(guard.state())))
    assert copy.state() == guard.state()
    assert copy.judge(5.0, 1.0) == guard.judge(5.0, 1.0)
