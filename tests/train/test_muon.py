"""Muon: the orthogonalisation against an SVD, the update rule, who gets it."""

import math

import pytest
import torch
from torch import Tensor, nn

from axk1.train import native_update
from axk1.train.adamw import AdamW
from axk1.train.muon import QUINTIC, Muon, advance, orthogonalize, stack_shape, takes_muon
from axk1.train.native_update import MuonStack, MuonStep
from axk1.train.optimizer import OptimizerConfig

FIVE = (QUINTIC,) * 5


def polynomial(values: Tensor, steps: int) -> Tensor:
    a, b, c = QUINTIC
    for _ in range(steps):
        values = a * values + b * values**3 + c * values**5
    return values


@pytest.mark.parametrize("shape", [(1, 12, 12), (1, 8, 20), (1, 20, 8), (5, 6, 9)])
def test_newton_schulz_moves_singular_values_and_keeps_singular_vectors(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).float()
    u, s, vh = torch.linalg.svd(x.double(), full_matrices=False)
    moved = polynomial(s / s.square().sum(-1, keepdim=True).sqrt(), 5)
    found = orthogonalize(x, FIVE).double()
    torch.testing.assert_close(found, u @ torch.diag_embed(moved) @ vh, rtol=1e-3, atol=1e-4)


def test_result_is_close_to_the_exact_orthogonalisation() -> None:
    x = torch.randn(4, 24, 40, generator=torch.Generator().manual_seed(2))
    u, _, vh = torch.linalg.svd(x, full_matrices=False)
    found, exact = orthogonalize(x, FIVE), u @ vh
    cosine = (found * exact).sum((-2, -1)) / (found.norm(dim=(-2, -1)) * exact.norm(dim=(-2, -1)))
    assert cosine.min() > 0.98
    values = torch.linalg.svdvals(found)
    assert 0.65 < values.min() < values.max() < 1.25


def test_bf16_is_near_fp32() -> None:
    x = torch.randn(2, 32, 48, generator=torch.Generator().manual_seed(3))
    low, exact = orthogonalize(x.bfloat16(), FIVE), orthogonalize(x, FIVE)
    assert low.dtype == torch.bfloat16
    assert (low.float() - exact).norm() / exact.norm() < 0.05


def test_a_zero_gradient_stays_zero() -> None:
    assert torch.equal(orthogonalize(torch.zeros(2, 4, 6), FIVE), torch.zeros(2, 4, 6))


def test_gate_and_up_of_an_expert_are_two_matrices() -> None:
    stack = torch.arange(3 * 6 * 4.0).view(3, 6, 4)
    shape = stack_shape("layers.1.mlp.experts.gate_up_proj", stack)
    assert shape == (6, 3, 4)
    assert torch.equal(stack.view(shape)[1], stack[0, 3:])
    assert stack_shape("layers.1.mlp.experts.down_proj", stack) == (3, 6, 4)
    assert stack_shape("q_a_proj.weight", stack[0]) == (1, 6, 4)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("model.layers.0.self_attn.q_a_proj.weight", (4, 8), True),
        ("model.layers.1.mlp.experts.down_proj", (2, 4, 8), True),
        ("model.layers.0.mlp.gate_proj.weight", (4, 8), True),
        ("model.layers.1.mlp.gate.weight", (4, 8), False),
        ("model.embed_tokens.weight", (4, 8), False),
        ("lm_head.weight", (4, 8), False),
        ("model.norm.weight", (8,), False),
    ],
)
def test_who_gets_muon(name: str, shape: tuple[int, ...], expected: bool) -> None:
    assert takes_muon(name, torch.zeros(shape)) is expected


def test_update_rule_against_an_svd() -> None:
    """Two steps written out with Nesterov momentum, U p(S) V^T by SVD, the scale 0.2 sqrt(max(M, N)) and the decay."""
    generator = torch.Generator().manual_seed(4)
    parameter = nn.Parameter(torch.randn(6, 10, generator=generator))
    config = OptimizerConfig(name="muon", momentum=0.9, weight_decay=0.1)
    optimizer = Muon({"model.layers.0.self_attn.o_proj.weight": parameter}, config)
    expected, momentum = parameter.detach().double(), torch.zeros(6, 10, dtype=torch.float64)
    for _ in range(2):
        parameter.grad = torch.randn(6, 10, generator=generator)
        g = parameter.grad.double() * 0.5
        momentum = 0.9 * momentum + 0.1 * g
        u, s, vh = torch.linalg.svd(0.1 * g + 0.9 * momentum, full_matrices=False)
        moved = u @ torch.diag(polynomial(s / s.square().sum().sqrt(), 5)) @ vh
        expected = expected * (1 - 0.02 * 0.1) - 0.02 * 0.2 * math.sqrt(10) * moved
        optimizer.step(0.02, grad_scale=0.5)
    torch.testing.assert_close(parameter.detach().double(), expected, rtol=1e-4, atol=1e-5)


def test_the_rest_is_adamw_and_the_state_restores_bit_for_bit() -> None:
    def build(dtype: torch.dtype) -> dict[str, nn.Parameter]:
        torch.manual_seed(0)
        return {
            "model.embed_tokens.weight": nn.Parameter(torch.randn(6, 4).to(dtype)),
            "model.layers.0.mlp.experts.gate_up_proj": nn.Parameter(torch.randn(2, 6, 4).to(dtype)),
        }

    def run(params: dict[str, nn.Parameter], optimizer: Muon | AdamW, steps: range) -> None:
        for step in steps:
            generator = torch.Generator().manual_seed(step)
            for parameter in params.values():
                parameter.grad = torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
            optimizer.step(1e-2)

    config = OptimizerConfig(name="muon")
    whole, other = build(torch.bfloat16), build(torch.bfloat16)
    first, adamw = Muon(whole, config), AdamW(other, config)
    run(whole, first, range(3))
    run(other, adamw, range(3))
    assert torch.equal(whole["model.embed_tokens.weight"], other["model.embed_tokens.weight"])
    second_params = {name: nn.Parameter(p.detach().clone()) for name, p in whole.items()}
    second = Muon(second_params, config)
    second.load_state_dict({name: tensor.clone() for name, tensor in first.state_dict().items()})
    run(whole, first, range(3, 5))
    run(second_params, second, range(3, 5))
    for name, parameter in whole.items():
        assert torch.equal(parameter, second_params[name])


def stack_of(shape: tuple[int, int, int], seed: int) -> MuonStack:
    generator = torch.Generator().manual_seed(seed)
    grad, momentum, master = (torch.randn(shape, generator=generator) for _ in range(3))
    return MuonStack(grad.bfloat16(), momentum, master, master.bfloat16(), shape, rate=0.02)


def copied(stack: MuonStack) -> MuonStack:
    tensors = (one.clone() for one in (stack.grad, stack.momentum, stack.master, stack.parameter))
    return MuonStack(*tensors, stack.shape, stack.rate)


@pytest.mark.parametrize("iterations", [1, 3])
def test_the_kernel_does_what_the_plain_step_does(iterations: int) -> None:
    """Wide, tall and square matrices, sizes under, at and over a strip of 32 and a band of 12 rows; zero gradients."""
    shapes = [(3, 50, 8), (2, 8, 50), (1, 128, 256), (2, 256, 128), (1, 64, 64), (1, 2, 34), (4, 34, 2), (1, 66, 130)]
    stacks = [stack_of(shape, seed) for seed, shape in enumerate(shapes)]
    stacks[0].grad[1], stacks[0].momentum[1] = 0, 0
    if not all(native_update.takes(stack) for stack in stacks):
        pytest.skip("this CPU has no bf16 dot products, or there is no C compiler")
    step = MuonStep(0.95, 0.3, 0.99, (QUINTIC,) * iterations)
    plain = [copied(stack) for stack in stacks]
    before = [stack.master.clone() for stack in stacks]
    native_update.muon(stacks, step)
    for one, other, old in zip(stacks, plain, before, strict=True):
        advance(other, step)
        torch.testing.assert_close(one.momentum, other.momentum, rtol=1e-6, atol=1e-7)
        moved, expected = one.master - 0.99 * old, other.master - 0.99 * old
        assert (moved - expected).norm() < 0.02 * expected.norm(), one.shape  # both round every product to 8 bits
        assert torch.equal(one.parameter, one.master.bfloat16())


def test_what_the_kernel_does_not_take() -> None:
    assert not native_update.takes(stack_of((1, 3, 4), 0))
    exact = stack_of((1, 4, 4), 0)
    assert not native_update.takes(MuonStack(exact.grad, exact.momentum, exact.master, exact.master, exact.shape, 0.1))
