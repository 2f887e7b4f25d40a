"""One optimiser step: micro-batches forward and backward, judgement, clipping, update, load balance.

L = sparse layers, E = routed experts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from axk1.data.loader import Batch
from axk1.data.rows import IGNORED
from axk1.model.transformer import Losses, Transformer
from axk1.train.optimizer import Optimizer
from axk1.train.settings import TrainingConfig
from axk1.train.spike import SpikeGuard, Verdict

__all__ = ["StepResult", "take_step"]


@dataclass(frozen=True)
class StepResult:
    """Losses are means over the step's targets (nats); `grad_norm` is taken before clipping."""

    loss: float
    balance: float
    mtp: float
    targets: int
    grad_norm: float
    load_LE: Tensor
    verdict: Verdict


def take_step(
    model: Transformer,
    optimizer: Optimizer,
    batches: Sequence[Batch],
    learning_rate: float,
    config: TrainingConfig,
    guard: SpikeGuard,
) -> StepResult:
    """Train on `batches` as if they were one batch. A step that the guard skips leaves the model as it was.

    Raises DivergenceError when the guard gives up.
    """
    weights = _weights(batches)
    losses = [_accumulate(model, batch, weight, config) for batch, weight in zip(batches, weights, strict=True)]
    loss = _mean([float(one.cross_entropy) for one in losses], weights)
    grad_norm = optimizer.grad_norm()
    load_LE = sum((one.load_LE for one in losses[1:]), start=losses[0].load_LE)
    verdict = guard.judge(loss, grad_norm)
    if not verdict.skip:
        optimizer.step(learning_rate, _clipping(grad_norm, config.clip))
        model.update_bias(load_LE, config.balance_rate)
    optimizer.zero_grad()
    return StepResult(
        loss=loss,
        balance=_mean([float(one.balance) for one in losses], weights),
        mtp=_mean([float(one.mtp) for one in losses], weights),
        targets=sum(one.tokens for one in losses),
        grad_norm=grad_norm,
        load_LE=load_LE.cpu(),
        verdict=verdict,
    )


def _weights(batches: Sequence[Batch]) -> list[float]:
    """The share of each micro-batch in all targets, so that the sum of weighted means is the mean over the step."""
    counts = [int((batch.targets_BT != IGNORED).sum()) for batch in batches]
    return [count / max(sum(counts), 1) for count in counts]


def _accumulate(model: Transformer, batch: Batch, weight: float, config: TrainingConfig) -> Losses:
    batch = batch.to(model.device)
    losses = model.loss(
        batch.tokens_BT,
        batch.targets_BT,
        batch.documents_BT,
        mtp_weight=config.mtp_weight,
        balance_weight=config.balance_loss,
    )
    (losses.total * weight).backward()  # type: ignore[no-untyped-call]
    return losses


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True))


def _clipping(grad_norm: float, clip: float) -> float:
    """The factor that brings the gradient norm down to `clip`, handed to the update instead of a pass of its own."""
    return clip / grad_norm if 0 < clip < grad_norm else 1.0
