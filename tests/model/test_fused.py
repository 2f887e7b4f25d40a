"""The fused operators against the plain ones: values and every gradient, in float32 and in bfloat16."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from axk1.model.fused import FusedOperators, first_visible
from axk1.model.fused_experts import grouped_gemm, grouped_weight_gradient
from axk1.model.native import load
from axk1.model.plain import PlainOperators
from axk1.native import NativeUnavailableError

try:
    load()
except NativeUnavailableError as reason:
    pytest.skip(str(reason), allow_module_level=True)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


PLAIN, FUSED = PlainOperators(), FusedOperators()
# bfloat16 keeps 8 bits: the plain result is computed in float32 from the same rounded inputs.
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 2e-2}


def relative(a: Tensor, b: Tensor) -> float:
    return float((a.double() - b.double()).norm() / b.double().norm().clamp_min(1e-9))


def compare(name: str, dtype: torch.dtype, inputs: list[Tensor], call: Callable[..., Tensor]) -> None:
    """Runs `call(operators, *inputs)` both ways and compares the result and the gradients of all float inputs."""
    fused_in = [x.to(dtype) if x.is_floating_point() else x for x in inputs]
    plain_in = [x.float() if x.is_floating_point() else x for x in fused_in]
    results = []
    for operators, given in ((FUSED, fused_in), (PLAIN, plain_in)):
        leaves = [x.clone().requires_grad_() if x.is_floating_point() else x for x in given]
        out = call(operators, *leaves)
        seed = torch.linspace(-1, 1, out.numel()).view_as(out) if out.dim() else torch.tensor(0.37)
        out.backward(seed.to(out.dtype))
        results.append([out.detach(), *(x.grad for x in leaves if x.is_floating_point())])
    for index, (ours, oracle) in enumerate(zip(*results, strict=True)):
        assert ours is not None
        assert oracle is not None
        assert relative(ours, oracle) < TOLERANCE[dtype], f"{name}: output {index}"


DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["f32", "bf16"])


@DTYPES
@pytest.mark.parametrize("size", [5, 64, 130])
def test_rms_norm(dtype: torch.dtype, size: int) -> None:
    x, weight = torch.randn(3, 5, size), torch.rand(size) + 0.5
    compare("rms_norm", dtype, [x, weight], lambda o, a, w: o.rms_norm(a, w, 1e-6))


@DTYPES
def test_swiglu(dtype: torch.dtype) -> None:
    compare("swiglu", dtype, [3 * torch.randn(17, 2 * 37)], lambda o, x: o.swiglu(x))


def test_swiglu_of_large_gates_stays_finite() -> None:
    x = torch.tensor([[-200.0, 200.0, 1.0, 1.0]])
    assert torch.allclose(FUSED.swiglu(x), torch.tensor([[0.0, 200.0]]))


@DTYPES
@pytest.mark.parametrize(("tokens", "experts", "k"), [(40, 8, 3), (5, 16, 2), (1, 4, 4)])
def test_experts(dtype: torch.dtype, tokens: int, experts: int, k: int) -> None:
    chosen = torch.rand(tokens, experts).topk(k).indices
    inputs = [
        torch.randn(tokens, 24),
        torch.randn(experts, 2 * 12, 24),
        torch.randn(experts, 24, 12),
        torch.rand(tokens, k),
    ]

    def call(o: PlainOperators | FusedOperators, x: Tensor, w1: Tensor, w2: Tensor, gate: Tensor) -> Tensor:
        return o.experts(x, w1, w2, chosen, gate.float())

    compare("experts", dtype, inputs, call)


def test_an_expert_without_tokens_gets_a_zero_gradient() -> None:
    gate_up = torch.randn(3, 8, 6, requires_grad=True)
    chosen = torch.tensor([[0], [2]])
    FUSED.experts(torch.randn(2, 6), gate_up, torch.randn(3, 6, 4), chosen, torch.ones(2, 1)).sum().backward()
    assert gate_up.grad is not None
    assert gate_up.grad[1].abs().max() == 0
    assert gate_up.grad[0].abs().max() > 0


@DTYPES
@pytest.mark.parametrize("length", [2, 9, 300, 520])  # under, over and at two query blocks of 256
@pytest.mark.parametrize("packed", [False, True])
def test_attention(dtype: torch.dtype, length: int, packed: bool) -> None:
    b, h, nope, rope, value = 2, 3, 6, 4, 5
    documents = torch.arange(length).expand(b, length).div(7, rounding_mode="floor") if packed else None
    angles = torch.rand(length, rope // 2)
    q, kv = torch.randn(b, length, h, nope + rope), torch.randn(b, length, h, nope + value)

    def call(o: PlainOperators | FusedOperators, q: Tensor, kv: Tensor, k_rope: Tensor) -> Tensor:
        return o.attention(q, kv, k_rope, angles.cos(), angles.sin(), 0.3, documents)

    compare("attention", dtype, [q, kv, torch.randn(b, length, rope)], call)


@DTYPES
def test_cross_entropy(dtype: torch.dtype) -> None:
    targets = torch.randint(0, 5000, (21,))
    targets[3] = targets[20] = -100
    inputs = [torch.randn(21, 16), torch.randn(5000, 16)]
    compare("cross_entropy", dtype, inputs, lambda o, x, w: o.cross_entropy(x, w, targets))


def test_first_visible_is_the_start_of_the_own_document() -> None:
    documents = torch.tensor([[0, 0, 1, 1, 1, -1], [4, 4, 4, 4, 4, 4]])
    assert first_visible(documents, 2, 6).tolist() == [[0, 0, 2, 2, 2, 5], [0] * 6]


def test_results_do_not_change_from_run_to_run() -> None:
    x, weight = torch.randn(999, 96), torch.rand(96)
    grads = []
    for _ in range(3):
        leaf = weight.clone().requires_grad_()
        FUSED.rms_norm(x, leaf, 1e-6).square().sum().backward()
        grads.append(leaf.grad)
    assert grads[0] is not None
    assert all(torch.equal(grads[0], g) for g in grads if g is not None)


@pytest.mark.parametrize("counts", [[5, 0, 7], [13, 1, 50], [0, 0, 1], [97, 40, 12]])
@pytest.mark.parametrize(("a", "b"), [(6, 10), (64, 96), (130, 33)])  # widths under, at and over a strip of 32
def test_grouped_products_equal_one_product_per_expert(counts: list[int], a: int, b: int) -> None:
    x, g = torch.randn(sum(counts), a).bfloat16(), torch.randn(sum(counts), b).bfloat16()
    weight = torch.randn(len(counts), a, b).bfloat16()
    pieces = list(zip(x.float().split(counts), g.float().split(counts), weight.float(), strict=True))
    forward = torch.cat([rows @ matrix for rows, _, matrix in pieces])
    gradient = torch.stack([rows.T @ grads for rows, grads, _ in pieces])
    for view in (weight, weight.mT.contiguous().mT):  # as it lies, and as a transposed view
        assert relative(grouped_gemm(x, view, counts), forward) < 4e-3  # one rounding to 8 bits
    assert relative(grouped_weight_gradient(x, g, counts, weight), gradient) < 4e-3
