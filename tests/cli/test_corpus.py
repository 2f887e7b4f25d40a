import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from axk1.cli import main
from axk1.cli.corpus_build import corpus_build
from axk1.cli.words import Words
from axk1.config import load
from axk1.corpus.pipeline.settings import PipelineConfig
from pipeline_folders import contents, lines, write_jsonl

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pipeline(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", ["하나\r\n둘\u200b", "하나\n둘\u200b", " ", "셋", "넷"])
    (tmp_path / "p.toml").write_text(
        'steps = ["newlines", "drop_empty", "exact_dedup"]\nsources = [{ path = "a.jsonl" }]\n', encoding="utf-8"
    )
    return tmp_path


def _build(folder, *more):
    return main(["--lang", "ko", "corpus", "build", str(folder / "p.toml"), "--text", str(folder), *more])


def test_a_build_shows_every_step_and_where_the_result_lies(pipeline, capsys):
    assert _build(pipeline, "--out", str(pipeline / "out"), "--tasks", "2") == 0
    shown = capsys.readouterr().out
    assert "문서 5개 가운데 3개를 남겼습니다" in shown
    assert "seen before 1" in shown
    assert f"axk1 corpus samples {pipeline / 'out'}" in shown.replace("\n", "")
    assert [one["text"] for one in lines(pipeline / "out/parts")] == ["하나\n둘\u200b", "셋", "넷"]
    assert len(list((pipeline / "out/parts").iterdir())) == 2


def test_settings_can_be_changed_on_the_line(pipeline):
    assert _build(pipeline, "--out", str(pipeline / "out"), 'steps=["drop_empty"]', "samples=1") == 0
    assert len(list(lines(pipeline / "out/parts"))) == 4


def test_samples_by_step_and_outcome_in_both_languages(pipeline, capsys):
    _build(pipeline, "--out", str(pipeline / "out"))
    capsys.readouterr()
    assert main(["--lang", "ko", "corpus", "samples", str(pipeline / "out")]) == 0
    shown = capsys.readouterr().out
    places = [shown.index(title) for title in ("newlines · 고침", "drop_empty · 버림 · no text", "exact_dedup · 남김")]
    assert places == sorted(places)
    assert "3번째 글자: U+000D → U+000A" in shown
    assert "- 하나\\r\n둘\\u200b" in shown, "what cannot be seen is shown"
    assert main(["--lang", "en", "corpus", "samples", str(pipeline / "out"), "--dropped", "--step", "exact_dedup"]) == 0
    shown = capsys.readouterr().out
    assert "exact_dedup · dropped · seen before" in shown
    assert "a.jsonl:2 (5 characters)" in shown
    assert "newlines" not in shown
    assert main(["corpus", "samples", str(pipeline / "out"), "--kept", "--count", "1", "--json"]) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.strip().split("\n")]
    assert [(one["step"], one["outcome"]) for one in shown] == [
        (step, "kept") for step in ("newlines", "drop_empty", "exact_dedup")
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["samples", "{}"], "pipeline.json"),
        (["samples", "{}/out", "--step", "nfd"], "no step 'nfd' (newlines, drop_empty, exact_dedup)"),
        (["build", "{}/p.toml", "--out", "{}/new"], "a.jsonl: no such file or folder; say where the texts"),
        (["build", "{}/p.toml", "--text", "{}", "--out", "{}/out", "--tasks", "3"], "was begun otherwise: tasks was 1"),
        (["build", "{}/none.toml", "--out", "{}/new"], "none.toml"),
    ],
)
def test_a_mistake_is_one_line(pipeline, arguments, message, capsys):
    _build(pipeline, "--out", str(pipeline / "out"))
    capsys.readouterr()
    assert main(["--lang", "en", "corpus", *(one.format(pipeline) for one in arguments)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (pipeline / "new").exists()


def test_a_cluster_without_its_package_names_it(pipeline, monkeypatch):
    monkeypatch.setitem(sys.modules, "axk1.corpus.pipeline.cluster", None)
    arguments = [str(pipeline / "p.toml"), "--text", str(pipeline), "--out", str(pipeline / "x"), "--executor", "slurm"]
    with pytest.raises(ValueError, match=r"needs more packages: pip install 'axk1\[corpus\]'"):
        corpus_build(arguments, Words("en"))


def test_the_curriculum_is_still_there(capsys):
    assert main(["--lang", "ko", "corpus"]) == 0
    families = capsys.readouterr().out
    assert main(["--lang", "ko", "corpus", "families"]) == 0
    assert capsys.readouterr().out == families
    assert "두 단계 문장제" in families
    assert main(["corpus", "word2", "--count", "2"]) == 0
    assert capsys.readouterr().out.count("Q: ") == 2


@pytest.mark.parametrize("path", sorted((ROOT / "recipes/corpus").glob("*.toml")), ids=lambda path: path.name)
def test_a_shipped_pipeline_can_be_read(path):
    assert load(path, PipelineConfig).steps


def _command(folder: Path, out: str) -> list[str]:
    where = ["--text", str(folder), "--out", str(folder / out), "--tasks", "4", "--workers", "2"]
    return [sys.executable, "-m", "axk1", "--lang", "ko", "corpus", "build", str(folder / "p.toml"), *where]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_build_that_is_stopped_at_any_time_goes_on_to_the_same_bytes(pipeline, number):
    write_jsonl(pipeline / "a.jsonl", [f"글 {n % 60_000} " * (n % 9 + 1) for n in range(100_000)])
    subprocess.run(_command(pipeline, "whole"), check=True, capture_output=True)
    stops, told, seconds = 0, 0, 0.5
    while True:
        process = subprocess.Popen(
            _command(pipeline, "out"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, number) if number == signal.SIGINT else os.kill(process.pid, number)
            stops, seconds = stops + 1, seconds * 1.15
        output = process.communicate()[0]
        if process.returncode == 0:
            break
        assert process.returncode == (130 if number == signal.SIGINT else -number)
        assert number != signal.SIGINT or "Traceback" not in output
        told += "이어서 하려면: axk1 corpus build" in output
        time.sleep(0.1)
    assert stops >= 3
    assert told >= (number == signal.SIGINT)
    assert contents(pipeline / "out") == contents(pipeline / "whole")
