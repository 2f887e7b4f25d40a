"""Where a training computes; what the CPU and an accelerator must agree on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import nn

from axk1.cli import machine
from axk1.cli.words import Words
from axk1.model.fused import FusedOperators
from axk1.model.grouped import GroupedOperators
from axk1.model.native import pointer
from axk1.model.operators import Operators
from axk1.model.plain import PlainOperators
from axk1.runs import Metrics, Run
from axk1.train import adamw, optimizer
from axk1.train.adamw import AdamW
from axk1.train.architecture import ModelChoice
from axk1.train.device import device_for
from axk1.train.fit import Screen, Trained
from axk1.train.muon import Muon
from axk1.train.optimizer import OptimizerConfig, global_norm
from axk1.train.pretrain import PretrainConfig, pretrain

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def there_is_a_gpu(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "a GPU")


@pytest.mark.parametrize(
    ("wanted", "there", "found"), [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu")]
)
def test_a_gpu_is_taken_where_there_is_one(wanted, there, found, monkeypatch):
    there_is_a_gpu(monkeypatch, there)
    assert device_for(wanted).type == found


def test_a_gpu_that_is_not_there_is_one_clear_error(monkeypatch):
    there_is_a_gpu(monkeypatch, False)
    with pytest.raises(ValueError, match=r'training.device is "cuda", but .*set training.device=cpu'):
        device_for("cuda")


def test_the_operators_are_those_of_the_device(monkeypatch, capsys):
    there_is_a_gpu(monkeypatch, True)
    say, console = Words("en"), Console()
    assert isinstance(machine.operators("auto", say, console), GroupedOperators)
    assert "Training on a GPU" in capsys.readouterr().out
    assert isinstance(machine.operators("cpu", say, console), FusedOperators | PlainOperators)


def test_a_c_kernel_is_never_given_what_it_cannot_read():
    with pytest.raises(AssertionError):
        pointer(torch.empty(2, device="meta"))


def parameters() -> dict[str, nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"embed_tokens.weight": (11, 6), "experts.gate_up_proj": (3, 8, 6), "o_proj.weight": (6, 4), "norm": (6,)}
    made = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return {name: nn.Parameter(t if t.ndim == 1 else t.bfloat16()) for name, t in made.items()}


@pytest.mark.parametrize("method", [AdamW, Muon])
def test_an_optimiser_steps_elsewhere_as_on_the_cpu(method, monkeypatch):
    """Elsewhere, torch does in whole tensors what a C kernel does in pieces."""
    trained = []
    for elsewhere in (False, True):
        if elsewhere:
            for module in (adamw, optimizer):
                monkeypatch.setattr(module, "on_cpu", lambda _tensors: False)
            monkeypatch.setattr("axk1.train.native_update.takes", lambda _stack: False)
        params = parameters()
        stepped = method(params, OptimizerConfig())
        generator, norms = torch.Generator().manual_seed(1), []
        for _ in range(5):
            for p in params.values():
                p.grad = torch.randn(p.shape, generator=generator).to(p.dtype)
            norms.append(stepped.grad_norm())
            stepped.step(1e-2, 0.5)
        trained.append((norms, stepped.state_dict()))
    (norms, state), (norms_elsewhere, state_elsewhere) = trained
    assert norms_elsewhere == pytest.approx(norms, rel=1e-6)
    for name, tensor in state.items():
        assert torch.allclose(tensor.double(), state_elsewhere[name].double(), rtol=2e-2, atol=2e-3), name


def test_the_norm_elsewhere_is_that_of_all_together(monkeypatch):
    monkeypatch.setattr(optimizer, "on_cpu", lambda _tensors: False)
    assert global_norm([torch.full((3,), 2.0), torch.tensor([[2.0]]).bfloat16()]) == pytest.approx(4.0)


def trained(config: PretrainConfig, shards: Path, folder: Path, screen: Screen, operators: Operators) -> Trained:
    run = Run.open(folder, {"pretrain": {}}, 0)
    try:
        return pretrain(config, shards, run, screen, None, operators)
    finally:
        run.close()


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in Metrics(folder / "pretrain" / "metrics.jsonl").read() if "loss" in line]


@pytest.mark.parametrize(("name", "precision"), [("adamw", "fp32"), ("muon", "bf16")])
def test_the_grouped_operators_train_as_the_plain_ones_do(name, precision, tiny, training, shards, tmp_path, screen):
    settings = replace(training, precision=precision, optimizer=replace(training.optimizer, name=name), device="cpu")
    curves = []
    for operators in (PlainOperators(), GroupedOperators()):
        folder = tmp_path / type(operators).__name__
        trained(PretrainConfig(settings, tiny), shards, folder, screen, operators)
        curves.append(losses(folder))
    assert_alike(*curves, precision)


def assert_alike(one: list[float], other: list[float], precision: str) -> None:
    """In bf16 a rounding moves a router's choice, and the curves of so small a model part: their levels must not."""
    if precision == "fp32":
        assert one == pytest.approx(other, rel=2e-3)
    else:
        assert one[0] == pytest.approx(other[0], rel=1e-2)
        assert sum(one[-5:]) == pytest.approx(sum(other[-5:]), rel=0.15)
        assert sum(one[-5:]) < 0.6 * sum(one[:5])


@GPU
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_gpu_trains_as_the_cpu_does(name, precision, tiny, training, shards, tmp_path, screen):
    chosen = replace(training.optimizer, name=name)
    mtp = ModelChoice(tiny.preset, {**tiny.overrides, "num_nextn_predict_layers": 1})
    settings = replace(training, precision=precision, optimizer=chosen, mtp_weight=0.3, micro_batches=1)
    curves = {}
    for device, make in devices().items():
        config = PretrainConfig(replace(settings, device=device), mtp)
        model = trained(config, shards, tmp_path / device, screen, make()).model
        assert model.device.type == "cpu"
        curves[device] = losses(tmp_path / device)
    assert_alike(curves["cuda"], curves["cpu"], precision)


@GPU
def test_a_run_goes_on_on_another_device(tiny, training, shards, tmp_path, screen):
    """Stopped on the GPU after half of the steps, finished on the CPU: near enough to an unbroken run."""
    half = replace(training, tokens=training.tokens // 2, schedule=replace(training.schedule, warmup=0, decay=0))
    whole = replace(half, tokens=training.tokens)
    makers = devices()
    trained(PretrainConfig(replace(half, device="cuda"), tiny), shards, tmp_path / "a", screen, makers["cuda"]())
    trained(PretrainConfig(replace(whole, device="cpu"), tiny), shards, tmp_path / "a", screen, makers["cpu"]())
    trained(PretrainConfig(replace(whole, device="cpu"), tiny), shards, tmp_path / "b", screen, makers["cpu"]())
    assert losses(tmp_path / "a") == pytest.approx(losses(tmp_path / "b"), rel=2e-3)


def devices() -> dict[str, Callable[[], Operators]]:
    return {"cpu": PlainOperators, "cuda": GroupedOperators}


def test_a_run_keeps_its_format_on_a_device_with_another(tiny, training, shards, tmp_path, screen, monkeypatch):
    """Begun in bf16 (as a GPU would), finished where "auto" means fp32."""
    half = replace(training, tokens=training.tokens // 2, precision="auto", device="cpu")
    monkeypatch.setattr("axk1.train.precision.has_fast_bf16", lambda: True)
    trained(PretrainConfig(half, tiny), shards, tmp_path / "a", screen, PlainOperators())
    monkeypatch.setattr("axk1.train.precision.has_fast_bf16", lambda: False)
    whole = replace(half, tokens=training.tokens)
    done = trained(PretrainConfig(whole, tiny), shards, tmp_path / "a", screen, PlainOperators())
    assert done.model.dtype == torch.bfloat16
    assert len(losses(tmp_path / "a")) == whole.steps
