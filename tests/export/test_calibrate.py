"""Activation statistics against hooks on the modules themselves, and from a text file to a folder."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from axk1 import arch
from axk1.checkpoint import CheckpointFolder
from axk1.cli import main
from axk1.export.calibrate import FEWEST_TOKENS, measure, of_sequences
from axk1.export.huggingface import save
from axk1.export.quantize import REPORT
from axk1.model.plain import PlainOperators
from axk1.model.transformer import Transformer
from axk1.tokenizer.train import train

TINY = dataclasses.replace(
    arch.preset("nano"), vocab_size=512, num_hidden_layers=2, n_routed_experts=4, n_group=2, num_experts_per_tok=2
)
SEQUENCES = [[5, 6, 7, 8] * 20, list(range(100, 160))]
TOKENS = 140


def random_model(config: arch.ModelConfig = TINY) -> Transformer:
    torch.manual_seed(0)
    model = Transformer(config, PlainOperators()).eval()
    model.initialise()
    return model


@pytest.fixture(scope="module")
def measured():
    """The statistics, and the inputs that hooks on a second run saw, by module name."""
    model, seen = random_model(), {}

    def hook(name: str):
        return lambda module, inputs: seen.setdefault(name, []).append(inputs[0].reshape(-1, inputs[0].shape[-1]))

    statistics = of_sequences(model, SEQUENCES)
    handles = [module.register_forward_pre_hook(hook(name)) for name, module in model.named_modules()]
    with torch.no_grad():
        for sequence in SEQUENCES:
            model(torch.tensor([sequence]))
    for handle in handles:
        handle.remove()
    return (
        model,
        statistics,
        {name: torch.cat(found) for name, found in seen.items() if "mlp" in name or "attn" in name},
    )


def test_every_plain_matrix_is_measured(measured) -> None:
    model, statistics, seen = measured
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    direct = [name for name in linear if name in seen]
    assert any("o_proj" in name for name in direct)
    for name in direct:
        np.testing.assert_allclose(statistics(name), seen[name].double().square().mean(0), rtol=1e-5)
    for name in ("model.layers.0.mlp", "model.layers.1.mlp.shared_experts"):
        wanted = seen[name].double().square().mean(0)
        for part in ("gate_proj", "up_proj"):
            np.testing.assert_allclose(statistics(f"{name}.{part}"), wanted, rtol=1e-5)
    assert set(linear) - {name for name in linear if statistics(name) is not None} == set()


def test_experts_are_measured_one_by_one(measured) -> None:
    model, statistics, seen = measured
    x_ND = seen["model.layers.1.mlp"]
    with torch.no_grad():
        chosen_NK = model.routers[0](x_ND).chosen_NK
    for expert in range(4):
        mine_MD = x_ND[(chosen_NK == expert).any(1)]
        if len(mine_MD) < FEWEST_TOKENS:
            mine_MD = x_ND.repeat_interleave(2, 0)  # all experts together met every token twice
        found = statistics(f"model.layers.1.mlp.experts.{expert}.up_proj")
        np.testing.assert_allclose(found, mine_MD.double().square().mean(0), rtol=1e-5)
        assert statistics(f"model.layers.1.mlp.experts.{expert}.down_proj").shape == (128,)
    assert statistics("model.layers.7.mlp.experts.0.up_proj") is None


def test_from_text_to_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{number}번째 줄은 {number * 7}입니다." for number in range(200)]
    (tmp_path / "text.jsonl").write_text(
        "".join(json.dumps({"text": line}, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
    )
    tokenizer = train(lines, 512)
    config = dataclasses.replace(TINY, vocab_size=tokenizer.vocab_size)
    save(random_model(config).state_dict(), config, tmp_path / "in", tokenizer.files())
    arguments = [str(tmp_path / "in"), str(tmp_path / "out"), "--calibrate", str(tmp_path / "text.jsonl")]
    assert main(["quantize", *arguments]) == 0
    assert json.loads((tmp_path / "out" / REPORT).read_text(encoding="utf-8"))["calibrated"]
    measure(tmp_path / "in", tmp_path / "text.jsonl", 500).save(tmp_path / "s.npz")
    arguments = [str(tmp_path / "in"), str(tmp_path / "again"), "--calibrate", str(tmp_path / "s.npz")]
    assert main(["quantize", *arguments]) == 0
    assert CheckpointFolder(tmp_path / "again").weights.keys() == CheckpointFolder(tmp_path / "out").weights.keys()
    (tmp_path / "text.jsonl").write_text("", encoding="utf-8")
    assert main(["quantize", *arguments[:2], "--calibrate", str(tmp_path / "text.jsonl"), "--lang", "en"]) == 2
    assert "no text to calibrate with" in capsys.readouterr().err
