"""AdamW against torch.optim.AdamW; clipping, bf16 masters, resume."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from axk1.model import native
from axk1.train import native_update
from axk1.train.adamw import AdamW, update
from axk1.train.native_update import AdamWStep
from axk1.train.optimizer import PIECE, OptimizerConfig, global_norm


def parameters(dtype: torch.dtype = torch.float32) -> dict[str, nn.Parameter]:
    torch.manual_seed(0)
    shapes = {"a.weight": (7, 5), "experts": (3, 4, 6), "norm.weight": (9,), "large": (2, PIECE // 2 + 3)}
    return {
        name: nn.Parameter(torch.randn(shape).to(torch.float32 if len(shape) == 1 else dtype))
        for name, shape in shapes.items()
    }


def with_gradients(params: dict[str, nn.Parameter], seed: int, size: float = 1.0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in params.values():
        parameter.grad = (torch.randn(parameter.shape, generator=generator) * size).to(parameter.dtype)


# The plain update is the oracle of the C kernel, and itself held against the formula.
SETTINGS = AdamWStep(1e-2, 0.9, 0.95, 1e-8, 0.1, 7, 0.5)
UPDATES = [update, *([native_update.update] if native.available() else [])]


def test_equals_torch_in_fp32() -> None:
    ours, theirs = parameters(), parameters()
    config = OptimizerConfig(weight_decay=0.1)
    optimizer = AdamW(ours, config)
    matrices = [p for p in theirs.values() if p.ndim >= 2]
    vectors = [p for p in theirs.values() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.95), eps=1e-8, foreach=False)
    for step, rate in enumerate((1e-2, 3e-3, 1e-2, 5e-3)):
        with_gradients(ours, step)
        with_gradients(theirs, step)
        for group in reference.param_groups:
            group["lr"] = rate
        optimizer.step(rate)
        reference.step()
    for name in ours:
        torch.testing.assert_close(
            ours[name], theirs[name], rtol=1e-6, atol=1e-7
        )  # 8 units in the last place after 4 steps


def test_clipping_is_folded_into_the_update_and_leaves_the_gradients_alone() -> None:
    clipped, plain = parameters(), parameters()
    first, second = AdamW(clipped, OptimizerConfig()), AdamW(plain, OptimizerConfig())
    with_gradients(clipped, 1, size=100.0)
    before = {name: p.grad.clone() for name, p in clipped.items() if p.grad is not None}
    norm = first.grad_norm()
    expected = torch.nn.utils.get_total_norm([p.grad.double() for p in clipped.values() if p.grad is not None])
    assert norm == pytest.approx(float(expected), rel=1e-6)
    first.step(1e-2, grad_scale=1 / norm)
    with_gradients(plain, 1, size=100.0)
    torch.nn.utils.clip_grad_norm_(plain.values(), 1.0)
    second.step(1e-2)
    for name, parameter in clipped.items():
        torch.testing.assert_close(parameter, plain[name], rtol=1e-5, atol=1e-6)
        assert torch.equal(parameter.grad, before[name])  # type: ignore[arg-type]


def test_bf16_parameters_are_the_rounded_fp32_masters() -> None:
    low, exact = parameters(torch.bfloat16), parameters(torch.bfloat16)
    exact = {name: nn.Parameter(p.detach().float()) for name, p in exact.items()}
    first, second = AdamW(low, OptimizerConfig()), AdamW(exact, OptimizerConfig())
    for step in range(50):
        with_gradients(low, step)
        for name, parameter in exact.items():
            parameter.grad = low[name].grad.float()  # type: ignore[union-attr]
        first.step(1e-4)
        second.step(1e-4)
    for name, parameter in low.items():
        assert torch.equal(parameter, exact[name].to(parameter.dtype))
    state = first.state_dict()
    assert torch.equal(state["a.weight.master"], exact["a.weight"])
    assert "norm.weight.master" not in state  # an fp32 parameter is its own master


def test_small_steps_are_not_lost_to_rounding() -> None:
    parameter = nn.Parameter(torch.ones(4, 4, dtype=torch.bfloat16))
    optimizer = AdamW({"w": parameter}, OptimizerConfig(weight_decay=0.0))
    for _ in range(100):
        parameter.grad = torch.ones_like(parameter)
        optimizer.step(1e-4)  # each step is far below the spacing of bf16 at 1
    assert parameter[0, 0].item() == pytest.approx(0.99, abs=4e-3)


def test_a_parameter_without_gradient_stays() -> None:
    params = parameters()
    optimizer = AdamW(params, OptimizerConfig())
    with_gradients(params, 0)
    params["experts"].grad = None
    before = params["experts"].clone()
    optimizer.step(1e-2)
    assert torch.equal(params["experts"], before)


def test_a_restored_optimizer_goes_on_bit_for_bit() -> None:
    def trained(steps: range, params: dict[str, nn.Parameter], optimizer: AdamW) -> None:
        for step in steps:
            with_gradients(params, step)
            optimizer.step(1e-2)

    whole = parameters(torch.bfloat16)
    first = AdamW(whole, OptimizerConfig())
    trained(range(3), whole, first)
    saved = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    half = {name: nn.Parameter(p.detach().clone()) for name, p in whole.items()}
    second = AdamW(half, OptimizerConfig())
    second.load_state_dict(saved)
    trained(range(3, 6), whole, first)
    trained(range(3, 6), half, second)
    for name, parameter in whole.items():
        assert torch.equal(parameter, half[name])


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda state: state.pop("experts.exp_avg"), "experts.exp_avg is missing"),
        (lambda state: state.update(extra=torch.zeros(1)), "extra is surplus"),
        (lambda state: state.update({"experts.exp_avg": torch.zeros(2)}), r"experts.exp_avg is \(2,\)"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(harm: Callable[[dict[str, Tensor]], object], message: str) -> None:
    optimizer = AdamW(parameters(), OptimizerConfig())
    state = {name: tensor.clone() for name, tensor in optimizer.state_dict().items()}
    harm(state)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(state)


@pytest.mark.skipif(not native.available(), reason="no C compiler")
def test_the_kernel_rounds_the_master_into_bf16_as_torch_does() -> None:
    generator = torch.Generator().manual_seed(6)
    master, average, grad = (torch.randn(1030, generator=generator) for _ in range(3))
    square, rounded = torch.rand(1030, generator=generator), torch.empty(1030, dtype=torch.bfloat16)
    native_update.update(master, average, square, grad.bfloat16(), rounded, SETTINGS)
    assert torch.equal(rounded, master.bfloat16())


def test_global_norm_keeps_its_digits_on_long_bf16_tensors() -> None:
    long = torch.randn(3 * PIECE + 17, generator=torch.Generator().manual_seed(3)).bfloat16()
    assert global_norm([long]) == pytest.approx(float(long.double().norm()), rel=1e-5)


@pytest.mark.parametrize("update", UPDATES)
def test_update_equals_the_formula_in_double(update: Callable[..., None]) -> None:
    generator = torch.Generator().manual_seed(5)
    master, average, grad = (torch.randn(PIECE + 5, generator=generator) for _ in range(3))
    square = torch.rand(PIECE + 5, generator=generator)
    m, a, v, g = (tensor.double().clone() for tensor in (master, average, square, grad))
    update(master, average, square, grad, master, SETTINGS)
    a = 0.9 * a + 0.1 * (0.5 * g)
    v = 0.95 * v + 0.05 * (0.5 * g) ** 2
    expected = m * (1 - 1e-3) - 1e-2 * (a / (1 - 0.9**7)) / ((v / (1 - 0.95**7)).sqrt() + 1e-8)
    torch.testing.assert_close(master.double(), expected, rtol=1e-5, atol=1e-6)
