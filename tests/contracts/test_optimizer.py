"""What every optimizer plug-in, ours or another package's, must keep."""

import math

import pytest
import torch
from torch import Tensor, nn

from axk1 import registry
from axk1.train.optimizer import Optimizer, OptimizerConfig

NAMES = registry.names("optimizer")
SHAPES = {
    "model.embed_tokens.weight": (11, 6),
    "model.layers.0.mlp.experts.gate_up_proj": (3, 8, 6),
    "model.layers.0.self_attn.o_proj.weight": (6, 4),
    "model.norm.weight": (6,),
}


def parameters(dtype: torch.dtype = torch.float32) -> dict[str, nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: nn.Parameter(torch.randn(shape, generator=generator).to(torch.float32 if len(shape) == 1 else dtype))
        for name, shape in SHAPES.items()
    }


def built(name: str, params: dict[str, nn.Parameter]) -> Optimizer:
    optimizer: Optimizer = registry.load("optimizer", name)(params, OptimizerConfig(name, weight_decay=0.0))
    return optimizer


def with_gradients(params: dict[str, nn.Parameter], seed: int, size: float = 1.0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in params.values():
        parameter.grad = (torch.randn(parameter.shape, generator=generator) * size).to(parameter.dtype)


def test_there_are_optimizers() -> None:
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_quadratic_loss_falls(name: str) -> None:
    """Each parameter's own pull towards zero: whatever the method, its sum of squares has to shrink."""
    params = parameters()
    optimizer = built(name, params)
    before = sum(float(p.detach().square().sum()) for p in params.values())
    for _ in range(100):
        for parameter in params.values():
            parameter.grad = parameter.detach().clone()
        optimizer.step(2e-2)
    assert sum(float(p.detach().square().sum()) for p in params.values()) < 0.5 * before


@pytest.mark.parametrize("name", NAMES)
def test_the_norm_is_that_of_all_gradients_together(name: str) -> None:
    params = parameters()
    optimizer = built(name, params)
    with_gradients(params, 1)
    exact = math.sqrt(sum(float(p.grad.double().square().sum()) for p in params.values() if p.grad is not None))
    assert optimizer.grad_norm() == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_scaling_in_the_step_equals_scaled_gradients(name: str) -> None:
    scaled, plain = parameters(), parameters()
    first, second = built(name, scaled), built(name, plain)
    for seed in range(3):
        with_gradients(scaled, seed, size=8.0)
        with_gradients(plain, seed, size=1.0)
        first.step(1e-2, grad_scale=0.125)
        second.step(1e-2)
    for key, parameter in scaled.items():
        torch.testing.assert_close(parameter, plain[key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_without_a_gradient_stay_and_zero_grad_forgets(name: str) -> None:
    params = parameters()
    optimizer = built(name, params)
    before = {key: p.detach().clone() for key, p in params.items()}
    with_gradients(params, 0)
    optimizer.zero_grad()
    optimizer.step(1e-2)
    assert all(torch.equal(p, before[key]) for key, p in params.items())


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_state_goes_on_bit_for_bit(name: str) -> None:
    whole = parameters(torch.bfloat16)
    first = built(name, whole)
    for seed in range(3):
        with_gradients(whole, seed)
        first.step(1e-2)
    saved: dict[str, Tensor] = {key: tensor.clone() for key, tensor in first.state_dict().items()}
    half = {key: nn.Parameter(p.detach().clone()) for key, p in whole.items()}
    second = built(name, half)
    second.load_state_dict(saved)
    for params, optimizer in ((whole, first), (half, second)):
        with_gradients(params, 9)
        optimizer.step(1e-2)
    assert all(torch.equal(p, half[key]) for key, p in whole.items())
    saved.pop(next(iter(saved)))
    with pytest.raises(ValueError, match="missing"):
        second.load_state_dict(saved)
