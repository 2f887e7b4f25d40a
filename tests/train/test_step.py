"""One optimiser step: accumulation, clipping, skipping, load balance."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from axk1.data.loader import Batch
from axk1.model.transformer import Transformer
from axk1.train.adamw import AdamW
from axk1.train.architecture import ModelChoice
from axk1.train.optimizer import OptimizerConfig
from axk1.train.settings import TrainingConfig
from axk1.train.spike import DivergenceError, SpikeConfig, SpikeGuard
from axk1.train.step import StepResult, take_step


def batch(rows: int, seed: int, ignored: int = 0) -> Batch:
    tokens = torch.randint(0, 32, (rows, 17), generator=torch.Generator().manual_seed(seed))
    targets = tokens[:, 1:].clone()
    targets[:, :ignored] = -100
    return Batch(tokens[:, :-1].contiguous(), targets, None)


def built(tiny: ModelChoice) -> tuple[Transformer, AdamW]:
    torch.manual_seed(0)
    model = Transformer(tiny.config())
    return model, AdamW(dict(model.named_parameters()), OptimizerConfig())


def bias(model: Transformer) -> Tensor:
    return torch.stack([router.e_score_correction_bias for router in model.routers])


def test_micro_batches_equal_one_batch_even_with_unequal_targets(tiny: ModelChoice, training: TrainingConfig) -> None:
    parts = [batch(2, 1, ignored=10), batch(2, 2)]
    whole = Batch(*(torch.cat([getattr(p, f) for p in parts]) for f in ("tokens_BT", "targets_BT")), None)
    config = replace(training, balance_loss=0.0)
    results: list[StepResult] = []
    models = []
    for batches in ([whole], parts):
        model, optimizer = built(tiny)
        results.append(take_step(model, optimizer, batches, 1e-2, config, SpikeGuard(SpikeConfig())))
        models.append(model)
    assert results[0].loss == pytest.approx(results[1].loss, rel=1e-6)
    assert results[0].grad_norm == pytest.approx(results[1].grad_norm, rel=1e-4)
    assert (results[0].targets, results[1].targets) == (44, 44)
    assert torch.equal(results[0].load_LE, results[1].load_LE)
    torch.testing.assert_close(bias(models[0]), bias(models[1]))


def test_every_token_is_counted_once_per_layer(tiny: ModelChoice, training: TrainingConfig) -> None:
    model, optimizer = built(tiny)
    result = take_step(model, optimizer, [batch(2, 1), batch(3, 2)], 1e-2, training, SpikeGuard(SpikeConfig()))
    assert result.load_LE.sum(-1).tolist() == [5 * 16 * 2] * 2  # tokens * experts per token


def test_the_bias_moves_once_against_the_load_and_keeps_mean_zero(tiny: ModelChoice, training: TrainingConfig) -> None:
    model, optimizer = built(tiny)
    batches = [batch(2, 1), batch(2, 2)]
    result = take_step(model, optimizer, batches, 1e-2, replace(training, balance_rate=0.01), SpikeGuard(SpikeConfig()))
    load = result.load_LE.float()
    moved = -0.01 * (load - load.mean(-1, keepdim=True)).sign()
    torch.testing.assert_close(bias(model), moved - moved.mean(-1, keepdim=True))


def test_clipping_bounds_the_first_moment(tiny: ModelChoice, training: TrainingConfig) -> None:
    model, optimizer = built(tiny)
    result = take_step(model, optimizer, [batch(4, 1)], 1e-2, replace(training, clip=0.01), SpikeGuard(SpikeConfig()))
    averages = [t for name, t in optimizer.state_dict().items() if name.endswith("exp_avg")]
    assert result.grad_norm > 0.1
    assert torch.stack([t.norm() for t in averages]).norm().item() == pytest.approx(0.1 * 0.01, rel=1e-4)


def test_a_non_finite_gradient_changes_nothing_and_is_reported(tiny: ModelChoice, training: TrainingConfig) -> None:
    model, optimizer = built(tiny)
    with torch.no_grad():
        model.model.embed_tokens.weight[5, 0] = float("inf")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    guard = SpikeGuard(SpikeConfig(non_finite_limit=2))
    bad = Batch(torch.full((1, 16), 5), torch.full((1, 16), 6), None)
    result = take_step(model, optimizer, [bad], 1e-2, training, guard)
    assert result.verdict.kind == "non-finite"
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(DivergenceError, match="2 steps in a row"):
        take_step(model, optimizer, [bad], 1e-2, training, guard)


def test_a_skipped_spike_changes_nothing(tiny: ModelChoice, training: TrainingConfig) -> None:
    model, optimizer = built(tiny)
    guard = SpikeGuard(SpikeConfig(quorum=8, skip=True))
    for _ in range(8):
        guard.judge(0.1, 1e-3)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    result = take_step(model, optimizer, [batch(2, 1)], 1e-2, training, guard)
    assert result.verdict.kind == "spike"
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert int(optimizer.state_dict()["step"]) == 0
