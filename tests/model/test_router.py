"""The router against a loop over tokens, and its balance: loss, bias update and measures, by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from axk1.arch import ModelConfig
from axk1.model.router import Router, RouterOutput, balance_loss, load, overload, steered_bias


def route_by_hand(router: Router, x_D: Tensor) -> dict[int, float]:
    """One token, as the paper tells it: expert -> gate value."""
    config = router.config
    score = [1 / (1 + 2.718281828459045 ** -float(row @ x_D)) for row in router.weight]
    biased = [value + float(bias) for value, bias in zip(score, router.e_score_correction_bias, strict=True)]
    size = config.n_routed_experts // config.n_group
    groups = [range(start, start + size) for start in range(0, config.n_routed_experts, size)]
    best = sorted(groups, key=lambda group: -sum(sorted(biased[e] for e in group)[-2:]))[: config.topk_group]
    chosen = sorted((e for group in best for e in group), key=lambda e: -biased[e])[: config.num_experts_per_tok]
    total = sum(score[e] for e in chosen) if config.norm_topk_prob else 1.0
    return {e: score[e] / total * config.routed_scaling_factor for e in chosen}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_group": 1, "topk_group": 1},
        {"topk_group": 4, "norm_topk_prob": False},
        {"n_routed_experts": 12, "n_group": 3, "topk_group": 1, "num_experts_per_tok": 4, "routed_scaling_factor": 1.0},
    ],
)
def test_router_equals_a_loop(config: Any, changes: dict[str, Any]) -> None:
    router = random_router(config(**changes))
    x_ND = torch.randn(50, router.config.hidden_size)
    chosen_NK, weight_NK, _ = router(x_ND)
    for x_D, chosen, weights in zip(x_ND, chosen_NK.tolist(), weight_NK.tolist(), strict=True):
        assert dict(zip(chosen, weights, strict=True)) == pytest.approx(route_by_hand(router, x_D), rel=1e-4)


def test_the_bias_steers_selection_and_never_the_gate_value(config: Any) -> None:
    router = random_router(config(n_group=1, topk_group=1, num_experts_per_tok=1, norm_topk_prob=False))
    x_ND = torch.randn(20, router.config.hidden_size)
    router.e_score_correction_bias[5] = 10.0
    chosen_NK, weight_NK, scores_NE = router(x_ND)
    assert (chosen_NK == 5).all()
    torch.testing.assert_close(weight_NK[:, 0], scores_NE[:, 5] * router.config.routed_scaling_factor)


def test_the_router_computes_in_float32_for_a_bfloat16_model(config: Any) -> None:
    router = random_router(config())
    x_ND = torch.randn(20, router.config.hidden_size).bfloat16()
    route = router(x_ND)
    assert route.weight_NK.dtype == torch.float32
    torch.testing.assert_close(route.weight_NK, router(x_ND.float()).weight_NK)


def test_balance_loss_by_the_formula() -> None:
    torch.manual_seed(0)
    sequences, length, experts, k = 3, 7, 6, 2
    scores_NE = torch.rand(sequences * length, experts)
    chosen_NK = torch.rand(sequences * length, experts).topk(k).indices
    expected = 0.0
    for first in range(0, sequences * length, length):
        for expert in range(experts):
            rows = range(first, first + length)
            frequency = experts / (k * length) * sum(int((chosen_NK[row] == expert).any()) for row in rows)
            share = sum(float(scores_NE[row, expert] / scores_NE[row].sum()) for row in rows) / length
            expected += frequency * share / sequences
    route = RouterOutput(chosen_NK, torch.ones(len(chosen_NK), k), scores_NE)
    assert float(balance_loss(route, torch.ones(sequences, length, dtype=torch.bool))) == pytest.approx(
        expected, rel=1e-5
    )


def test_padding_counts_neither_in_the_balance_nor_in_the_load() -> None:
    torch.manual_seed(0)
    scores_NE, chosen_NK = torch.rand(10, 6), torch.rand(10, 6).topk(2).indices
    padded = RouterOutput(chosen_NK, torch.ones(10, 2), scores_NE)
    alone = RouterOutput(chosen_NK[:7], torch.ones(7, 2), scores_NE[:7])
    real_1T = (torch.arange(10) < 7).unsqueeze(0)
    torch.testing.assert_close(balance_loss(padded, real_1T), balance_loss(alone, real_1T[:, :7]))
    assert torch.equal(load(padded, real_1T), load(alone, real_1T))
    assert load(padded, real_1T).sum() == 14


def test_balance_loss_is_one_when_even_and_its_gradient_lowers_the_busy_expert() -> None:
    even = RouterOutput(torch.tensor([[0], [1]]), torch.ones(2, 1), torch.full((2, 2), 0.5))
    assert float(balance_loss(even, torch.ones(1, 2, dtype=torch.bool))) == pytest.approx(1.0)
    scores_NE = torch.full((2, 2), 0.5, requires_grad=True)
    route = RouterOutput(torch.tensor([[0], [0]]), torch.ones(2, 1), scores_NE)
    balance_loss(route, torch.ones(1, 2, dtype=torch.bool)).backward()
    assert scores_NE.grad is not None
    assert (scores_NE.grad[:, 0] > 0).all()
    assert (scores_NE.grad[:, 1] < 0).all()


def test_bias_goes_down_for_busy_experts_and_stays_centred() -> None:
    load_LE = torch.tensor([[10, 0, 0, 2], [3, 3, 3, 3]])
    bias_LE = steered_bias(torch.zeros(2, 4), load_LE, 0.5)
    # mean load 3: one expert above (-0.5), three below (+0.5), then the mean +0.25 is taken off
    torch.testing.assert_close(bias_LE[0], torch.tensor([-0.75, 0.25, 0.25, 0.25]))
    torch.testing.assert_close(bias_LE[1], torch.zeros(4))
    drifted_LE = steered_bias(torch.full((2, 4), 7.0), load_LE, 0.5)
    torch.testing.assert_close(drifted_LE, bias_LE)


def test_bias_updates_even_out_a_skewed_router(config: Any) -> None:
    router = random_router(config(n_group=1, topk_group=1))
    with torch.no_grad():
        router.weight[0] += 1.0
    x_ND = torch.randn(400, router.config.hidden_size) + 0.3
    real_1T = torch.ones(1, len(x_ND), dtype=torch.bool)
    before = overload(load(router(x_ND), real_1T)[None])
    for _ in range(300):
        load_LE = load(router(x_ND), real_1T)[None]
        router.e_score_correction_bias.copy_(steered_bias(router.e_score_correction_bias[None], load_LE, 0.01)[0])
    after = overload(load(router(x_ND), real_1T)[None])
    assert float(before) > 1.0
    assert float(after) < 0.15


def test_load_and_overload() -> None:
    route = RouterOutput(torch.tensor([[0, 3], [0, 1], [0, 3]]), torch.ones(3, 2), torch.rand(3, 5))
    load_E = load(route, torch.ones(1, 3, dtype=torch.bool))
    assert load_E.tolist() == [3, 1, 0, 2, 0]
    load_LE = torch.stack((load_E, torch.tensor([2, 1, 1, 1, 1])))
    assert overload(load_LE).tolist() == pytest.approx([3 / 1.2 - 1, 2 / 1.2 - 1])


def random_router(config: ModelConfig) -> Router:
    torch.manual_seed(3)
    router = Router(config).requires_grad_(False)
    router.weight.normal_(0.0, 0.3)
    router.e_score_correction_bias.uniform_(-0.4, 0.4)
    return router
