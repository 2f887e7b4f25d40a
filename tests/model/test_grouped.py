"""The accelerator's operators against the plain ones in float32: on the CPU, and on a GPU where there is one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from axk1.model.grouped import GroupedOperators
from axk1.model.operators import Operators
from axk1.model.plain import PlainOperators

DEVICES = pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]
)
# bfloat16 keeps 8 bits: the plain result is computed in float32 from the same rounded inputs.
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 2e-2}
DTYPES = pytest.mark.parametrize("dtype", list(TOLERANCE), ids=["f32", "bf16"])


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def relative(a: Tensor, b: Tensor) -> float:
    return float((a.double().cpu() - b.double()).norm() / b.double().norm().clamp_min(1e-9))


def compare(device: str, dtype: torch.dtype, inputs: list[Tensor], call: Callable[..., Tensor]) -> None:
    """The result and the gradients of all float inputs, there in `dtype` and plainly on the CPU in float32."""
    given = [x.to(dtype) if x.is_floating_point() and x.dim() > 1 else x for x in inputs]
    plain = [x.float() if x.is_floating_point() else x for x in given]
    results = []
    for operators, place, tensors in ((GroupedOperators(), device, given), (PlainOperators(), "cpu", plain)):
        leaves = [x.to(place, copy=True).requires_grad_(x.is_floating_point()) for x in tensors]
        out = call(operators, *leaves)
        assert out.device.type == place
        seed = torch.linspace(-1, 1, out.numel()).view_as(out) if out.dim() else torch.tensor(0.37)
        out.backward(seed.to(out))
        results.append([out.detach(), *(x.grad for x in leaves if x.is_floating_point())])
    for index, (ours, oracle) in enumerate(zip(*results, strict=True)):
        assert relative(ours, oracle) < TOLERANCE[dtype], f"output {index}"


@DEVICES
@DTYPES
@pytest.mark.parametrize(("tokens", "experts", "k"), [(40, 8, 3), (5, 16, 2), (1, 4, 4), (300, 64, 6)])
def test_experts(device: str, dtype: torch.dtype, tokens: int, experts: int, k: int) -> None:
    chosen = torch.rand(tokens, experts).topk(k).indices
    inputs = [torch.randn(tokens, 32), torch.randn(experts, 2 * 16, 32), torch.randn(experts, 32, 16)]
    weight = torch.rand(tokens, k)

    def call(operators: Operators, x: Tensor, gate_up: Tensor, down: Tensor, chosen: Tensor, weight: Tensor) -> Tensor:
        return operators.experts(x, gate_up, down, chosen, weight.float())

    compare(device, dtype, [*inputs, chosen, weight], call)


@DEVICES
@DTYPES
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("nope", "rope", "value"), [(16, 8, 16), (8, 8, 32), (24, 8, 8)])
def test_attention(device: str, dtype: torch.dtype, masked: bool, nope: int, rope: int, value: int) -> None:
    b, t, h = 2, 37, 3
    q, kv, k_rope = torch.randn(b, t, h, nope + rope), torch.randn(b, t, h, nope + value), torch.randn(b, t, rope)
    angles = torch.rand(t, rope // 2)
    documents = torch.randint(0, 2, (b, t)).cumsum(1).int()

    def call(operators: Operators, q: Tensor, kv: Tensor, k_rope: Tensor) -> Tensor:
        cos, sin = angles.cos().to(q.device), angles.sin().to(q.device)
        seen = documents.to(q.device) if masked else None
        return operators.attention(q, kv, k_rope, cos, sin, 0.2, seen)

    compare(device, dtype, [q, kv, k_rope], call)


@DEVICES
@DTYPES
def test_cross_entropy_in_chunks(device: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("axk1.model.grouped._CHUNK_LOGITS", 53 * 7)  # seven rows at a time
    targets = torch.randint(53, (40,)).masked_fill(torch.rand(40) < 0.3, -100)

    def call(operators: Operators, hidden: Tensor, head: Tensor) -> Tensor:
        return operators.cross_entropy(hidden, head, targets.to(hidden.device))

    compare(device, dtype, [torch.randn(40, 24), torch.randn(53, 24)], call)
