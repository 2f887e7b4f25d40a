"""Load measures, by hand."""

import pytest
import torch

from axk1.train.balance import Balance, LoadMeter


def test_one_step_by_hand() -> None:
    balance = LoadMeter(2, 4).measure(torch.tensor([[4, 4, 4, 4], [10, 2, 2, 2]]))
    assert balance == Balance(worst_violation=1.5, mean_violation=0.75, least_load=0.5, dead_experts=0)


def test_an_expert_is_dead_after_a_long_silence_only() -> None:
    meter = LoadMeter(1, 4)
    dead = [meter.measure(torch.tensor([[0, 5, 5, 5]])).dead_experts for _ in range(120)]
    assert dead[0] == 0
    assert dead[-1] == 1
    assert dead.index(1) == pytest.approx(90, abs=2)  # 0.95 ** 90 is just below 0.01


def test_layers_without_tokens_do_not_count() -> None:
    meter = LoadMeter(2, 2)
    for _ in range(200):
        balance = meter.measure(torch.tensor([[3, 3], [0, 0]]))
    assert balance == Balance(0.0, 0.0, 1.0, 0)


def test_a_dense_model_has_nothing_to_balance() -> None:
    assert LoadMeter(0, 4).measure(torch.zeros(0, 4, dtype=torch.int64)) == Balance()
