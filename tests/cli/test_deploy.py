"""`axk1 deploy` as it is typed."""

import json
from pathlib import Path

import pytest

from axk1.cli import main


def test_a_plan_is_shown_and_its_files_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "k1", "--nodes", "4", "--out", str(tmp_path), "--lang", "ko"]) == 0
    assert "서버 4대 × 8 H100-80, TP32" in capsys.readouterr().out
    assert {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()} == {
        *("README.md", "plan.json", "vllm/head.sh", "vllm/worker.sh", "vllm/serve.toml"),
        *("sglang/node.sh", "sglang/serve.toml"),
    }
    assert (tmp_path / "vllm/head.sh").stat().st_mode & 0o100


def test_figures_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["deploy", "k1", "--nodes", "4", "--prefer", "throughput", "--on", "kubernetes", "--json"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert found["tensor_parallel"] * found["data_parallel"] == found["expert_parallel"] == 32
    assert found["needed_bytes"] + found["spare_bytes"] == found["budget_bytes"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nodes", "1"], "needs 146.6 GB on a GPU, where 73.6 GB may be used; what would fit: [3 nodes"),
        (["--nodes", "4", "--weights", "int4"], "--model-path"),
        (["--gpu", "H900"], "H100-80"),
        (["--nodes", "4", "--tensor", "5"], "does not divide 32 GPUs"),
        (["--nodes", "4", "--expert"], "go with --tensor"),
    ],
)
def test_what_cannot_be_is_one_line_and_writes_nothing(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deploy", "k1", *arguments, "--out", str(tmp_path / "x"), "--lang", "en"]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
