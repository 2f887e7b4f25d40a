"""One command from text to a talking model: unbroken, stopped by Ctrl-C, and killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("torch")

from axk1.cli import main
from axk1.runs import Metrics

TINY = Path(__file__).parent / "tiny"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"}
PATIENCE = 300.0  # seconds; a busy machine is no failure


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "axk1", *map(str, arguments)]


def call(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, env=ENVIRONMENT, stdin=subprocess.DEVNULL, timeout=PATIENCE
    )


@contextmanager
def started(*arguments: str | Path) -> "Iterator[subprocess.Popen[str]]":
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(process: "subprocess.Popen[str]", condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("e2e") / "whole"
    done = call("run", TINY, "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


def steps(folder: Path) -> int:
    """Whole steps in the metrics so far."""
    lines = Metrics(folder / "metrics.jsonl").read()
    return max((line["step"] for line in lines), default=0)


def lasting(folder: Path) -> list[dict[str, object]]:
    """The metrics without what a clock measures."""
    lines = Metrics(folder / "metrics.jsonl").read()
    return [{key: line[key] for key in line if key not in ("seconds", "tokens_per_second")} for line in lines]


def test_every_stage_leaves_its_result(whole: Path) -> None:
    about = json.loads((whole / "run.json").read_text(encoding="utf-8"))
    assert set(about) == {"recipe", "seed", "revision", "versions", "started"}
    for stage in ("corpus", "tokenizer", "data", "pretrain", "sft", "evals", "quantize"):
        assert json.loads((whole / stage / "done.json").read_text(encoding="utf-8"))["seconds"] >= 0
    for name in ("config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", "generation_config.json"):
        assert (whole / "model" / name).stat().st_size > 0
        assert (whole / "base" / name).stat().st_size > 0
        assert (whole / "model-int4" / name).stat().st_size > 0
    assert (whole / "pretrain/experts.png").exists()


def test_the_last_stage_measures_the_smaller_model(whole: Path) -> None:
    report = json.loads((whole / "quantize/report.json").read_text(encoding="utf-8"))
    assert report["calibrated"]
    assert report["quantized_bytes"] < 0.8 * report["model_bytes"]
    (compared,) = report["compared"]
    assert compared["documents"] == 4
    assert 0 < compared["mean_kl"] < 0.1
    assert compared["model"]["perplexity"] == pytest.approx(compared["reference"]["perplexity"], rel=0.05)


def test_a_stopped_last_stage_is_done_again(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "stopped"
    shutil.copytree(whole, folder)
    shutil.rmtree(folder / "model-int4")
    shutil.rmtree(folder / "quantize")
    (folder / ".model-int4.partial").mkdir()  # what kill -9 leaves
    done = call("run", TINY, "--out", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("done before") == 6
    assert not (folder / ".model-int4.partial").exists()
    weights = [path / "model-int4/model.safetensors" for path in (folder, whole)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_chat_and_eval_open_the_smaller_model(whole: Path) -> None:
    done = call("chat", whole / "model-int4", "--ask", "1+1은?", "--max-new-tokens", "4")
    assert done.returncode == 0, done.stderr
    asked = ("--task", "sum2", "--exercises", "2", "--max-new-tokens", "4", "--json")
    done = call("eval", whole / "model-int4", *asked)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tasks"][0]["direct"]["total"] == 2


def test_the_loss_falls(whole: Path) -> None:
    losses = [line["loss"] for line in Metrics(whole / "pretrain/metrics.jsonl").read() if "loss" in line]
    assert len(losses) == 50
    assert losses[-1] < losses[0] - 1.5


def test_a_second_call_does_nothing_again(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.suffix in (".safetensors", ".bin")}
    assert main(["run", str(TINY), "--out", str(whole)]) == 0
    assert capsys.readouterr().out.count("done before") == 7
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_other_settings_are_refused(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(TINY), "--out", str(whole), "pretrain.training.tokens=51200"]) == 2
    assert "pretrain.training.tokens was 25600, now 51200" in capsys.readouterr().err


def test_what_was_made_from_a_removed_stage_is_not_kept(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sft").mkdir()
    shutil.copy(whole / "run.json", tmp_path)
    shutil.copy(whole / "sft/done.json", tmp_path / "sft")
    assert main(["run", str(TINY), "--out", str(tmp_path), "--until", "corpus"]) == 2
    assert "sft was made from an older stage corpus, which is gone: remove it first" in capsys.readouterr().err


def test_stopped_and_killed_runs_reach_the_weights_of_an_unbroken_one(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    for stage in ("corpus", "tokenizer", "data"):
        shutil.copytree(whole / stage, folder / stage)
    shutil.copy(whole / "run.json", folder)
    run = ("run", TINY, "--out", folder, "--until", "sft")

    with started(*run) as process:  # Ctrl-C in pre-training
        wait_until(process, lambda: steps(folder / "pretrain") >= 5)
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130, shown
        assert f"To go on: axk1 run {TINY}" in shown
    assert 5 <= steps(folder / "pretrain") < 50

    with started(*run) as process:  # kill -9 in the middle of fine-tuning
        wait_until(process, lambda: steps(folder / "sft") >= 3)
        process.kill()
        process.wait(timeout=PATIENCE)
    assert not (folder / "model").exists()

    done = call(*run)
    assert done.returncode == 0, done.stdout + done.stderr
    assert lasting(folder / "pretrain") == lasting(whole / "pretrain")
    assert lasting(folder / "sft") == lasting(whole / "sft")
    for name in ("base", "model"):
        weights = [path / name / "model.safetensors" for path in (folder, whole)]
        assert weights[0].read_bytes() == weights[1].read_bytes(), name


def test_chat_without_a_terminal_answers_samples_and_ends(whole: Path) -> None:
    done = call("chat", whole / "model", "--max-new-tokens", "4")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n> ") >= 3


def test_chat_answers_a_question_that_is_asked(whole: Path) -> None:
    refused = call("chat", whole / "model", "--ask", "1+1은?", "--max-new-tokens", "900000")
    assert refused.returncode == 2
    assert "leaves no room" in refused.stderr
    done = call("chat", whole / "model", "--ask", "1+1은?", "--max-new-tokens", "4", "--think")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("> 1+1은?\n")


def test_eval_grades_tasks_and_texts(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("어느 맑은 날이었다. " * 20, encoding="utf-8")
    asked = ("--task", "sum2", "--exercises", "3", "--max-new-tokens", "4", "--text", tmp_path / "a.txt")
    done = call("eval", whole / "model", *asked, "--out", tmp_path / "report", "--json")
    assert done.returncode == 0, done.stderr
    graded = json.loads(done.stdout)
    assert [(task["name"], task["thinking"]["total"]) for task in graded["tasks"]] == [("sum2", 3)]
    assert 1 < graded["texts"][0]["bits_per_byte"] < 12
    assert (tmp_path / "report/grades.png").exists()


def test_plots_compare_runs(whole: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(whole / "pretrain", other / "pretrain")
    shutil.copy(whole / "run.json", other)
    assert main(["plot", str(whole), str(other), "--out", str(tmp_path / "both.png")]) == 0
    assert (tmp_path / "both.png").stat().st_size > 10_000


def test_tokenizer_and_arch_read_the_model_folder(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["arch", str(whole / "model"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] > 0
    assert main(["tokenizer", str(whole / "model"), "--text", "불 켜", "--json"]) == 0
    tokens = json.loads(capsys.readouterr().out)
    assert all(0 <= one["id"] < 1024 for one in tokens)
