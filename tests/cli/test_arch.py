import json
from pathlib import Path

import pytest

from axk1.arch import preset
from axk1.cli import main

# A.X K1's published count: 61 layers of latent attention, one dense layer, 60 with 192 + 1 experts.
K1_ATTENTION = 7168 * 1536 + 1536 * 64 * 192 + 7168 * 576 + 512 * 64 * 256 + 64 * 128 * 7168
K1_EXPERT = 3 * 7168 * 2048


def test_k1_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["arch", "k1"]) == 0
    shown = capsys.readouterr().out
    for figure in ("518,983,052,288", "518,983,059,456", "32,779,", "70,272 B"):
        assert figure in shown


def test_k1_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["arch", "k1", "--json", "--seq", "4096"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["parameters"] == 518_983_052_288
    assert figures["attention_parameters"] == 61 * K1_ATTENTION
    assert figures["routed_expert_parameters"] == 60 * 192 * K1_EXPERT
    assert figures["context"] == 4096


def test_a_model_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(preset("nano").to_huggingface()), encoding="utf-8")
    assert main(["arch", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == 21_886_592


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["arch", "k3"], "'k3'"),
        (["arch", "nano", "--seq", "0"], "at least 1"),
        (["arch", "nano", "--seq", "many"], "invalid int"),
        (["arch"], "NAME|FOLDER"),
    ],
)
def test_mistakes(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(argv)
    except SystemExit as end:  # argparse's own
        code = int(end.code or 0)
    assert code == 2
    assert message in capsys.readouterr().err


def test_a_folder_without_a_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["arch", str(tmp_path)]) == 2
    assert "config.json" in capsys.readouterr().err
