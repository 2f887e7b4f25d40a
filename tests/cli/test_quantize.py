"""`axk1 quantize` from end to end on a tiny model."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from axk1 import arch
from axk1.checkpoint import CheckpointFolder, expected
from axk1.cli import main
from axk1.export.huggingface import save
from axk1.export.quantize import REPORT

TINY = dataclasses.replace(
    arch.preset("nano"), vocab_size=64, num_hidden_layers=2, n_routed_experts=4, n_group=2, num_experts_per_tok=2
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    state = {name: torch.randn(shape, generator=generator) * 0.05 for name, shape in expected(TINY).items()}
    save(state, TINY, tmp_path / "in", {"tokenizer.json": b"{}"}, dtype=torch.bfloat16)
    return tmp_path / "in"


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_folder_is_quantised(model: Path, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = model.parent / "out"
    assert main(["quantize", str(model), str(out), "--attention", "int8", "--head", "int8", "--lang", language]) == 0
    said = capsys.readouterr().out
    assert ("상대 오차" if language == "ko" else "relative error") in said
    assert str(out / REPORT) in said.replace("\n", "")
    folder = CheckpointFolder(out)
    kinds = {
        name: folder.weight(name).kind
        for name in (
            *("model.layers.1.mlp.experts.0.up_proj.weight", "model.layers.0.self_attn.o_proj.weight"),
            *("lm_head.weight", "model.embed_tokens.weight", "model.layers.1.mlp.gate.weight"),
        )
    }
    assert list(kinds.values()) == ["int4", "int8", "int8", "bf16", "bf16"]
    assert (out / "tokenizer.json").read_bytes() == b"{}"
    assert "5.19" not in said


@pytest.mark.parametrize(
    "arguments", [["--experts", "none"], ["--experts", "int8-asym"], ["--embedding", "int8"]], ids=str
)
def test_what_transformers_cannot_open_is_said(
    model: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quantize", str(model), str(model.parent / "out"), *arguments, "--lang", "en"]) == 0
    assert "transformers 5.19 opens no asymmetric or kept experts" in capsys.readouterr().out


def test_parts_can_be_kept(model: Path) -> None:
    out = model.parent / "out"
    arguments = [
        "--format",
        "int8-g64-asym",
        "--experts",
        "int4-g32-sym",
        "--attention",
        "none",
        "--shard-bytes",
        "100000",
    ]
    assert main(["quantize", str(model), str(out), *arguments]) == 0
    folder = CheckpointFolder(out)
    assert folder.weight("model.layers.1.mlp.experts.0.up_proj.weight").group_size == 32
    assert not folder.weight("model.layers.0.mlp.up_proj.weight").symmetric
    assert folder.weight("model.layers.0.self_attn.o_proj.weight").kind == "bf16"
    report = json.loads((out / REPORT).read_text(encoding="utf-8"))
    assert {part: one["format"] for part, one in report["parts"].items()} == {
        "experts": "int4-g32",
        "shared": "int8-g64-asym",
        "dense": "int8-g64-asym",
    }
    assert len(folder.files) > 2


def test_random_weights_of_a_shape(tmp_path: Path) -> None:
    assert main(["quantize", "--random", "nano", str(tmp_path / "nano"), "--format", "int4-g32", "--seed", "3"]) == 0
    folder = CheckpointFolder(tmp_path / "nano")
    assert folder.config == arch.preset("nano")
    assert folder.weight("model.layers.5.mlp.experts.31.down_proj.weight").kind == "int4"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["IN"], "give IN OUT, or --random and OUT"),
        (["IN", "OUT", "--random", "nano"], "give IN OUT, or --random and OUT"),
        (["IN", "OUT", "--format", "int5"], "no format 'int5'"),
        (["IN", "OUT", "--format", "none"], "nothing to quantise"),
        (["IN", "OUT", "--format", "int4-g128"], "choose a smaller group or int8 with --attention"),
        (["IN", "OUT", "--shard-bytes", "0"], "--shard-bytes must be at least 1"),
        (["IN", "OUT", "--calibrate", "gone.npz"], "gone.npz"),
        (["NOWHERE", "OUT"], "no such folder"),
        (["--random", "huge", "OUT"], "no preset 'huge'"),
    ],
)
def test_mistakes_are_one_line(
    model: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"IN": str(model), "OUT": str(model.parent / "out"), "NOWHERE": str(model.parent / "nowhere")}
    assert main(["quantize", *(places.get(one, one) for one in arguments), "--lang", "en"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (model.parent / "out").exists()


def test_it_never_loads_torch(tmp_path: Path) -> None:
    code = "import sys; from axk1.cli import main; main(sys.argv[1:]); assert 'torch' not in sys.modules"
    command = [sys.executable, "-c", code, "quantize", "--random", "nano", str(tmp_path / "nano")]
    assert subprocess.run(command, capture_output=True).returncode == 0
