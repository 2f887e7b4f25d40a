"""`axk1 corpus synthesize`: what it shows, and that stopping it in any way loses and repeats nothing that was paid."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from axk1.cli import main
from axk1.config import load
from axk1.corpus.synthesis.settings import SynthesisConfig
from model_server import ModelServer
from pipeline_folders import lines
from played_model import FAULTS, played

ROOT = Path(__file__).parents[2]
RECIPE = """
license = "CC0-1.0"
concurrency = 4
[model]
name = "asked-for"
output_terms = "outputs are free"
url = "{url}"
first_wait = 0.01
price = {{ prompt = 1.0, completion = 2.0 }}
[[tasks]]
name = "new"
template = "mine.jinja"
per = "topic"
count = {count}
checks = {{ quality = false }}
[[tasks]]
name = "solved"
template = "solve"
per = "exercise"
form = "solution"
families = ["sum2"]
count = 10
"""


def write_recipe(folder, url, count=20):
    path = folder / "r.toml"
    path.write_text(RECIPE.format(url=url, count=count), encoding="utf-8")
    template = "'{{ topic }}'에 대해 {{ style }}로 써 주세요."
    (folder / "mine.jinja").write_text(template, encoding="utf-8")
    return path


def command(recipe, out):
    return ["--lang", "ko", "corpus", "synthesize", str(recipe), "--out", str(out)]


def stored(out):
    """The keys of the answers on disk, whole lines only."""
    path = out / "answers.jsonl"
    return {json.loads(line)["key"] for line in path.read_bytes().split(b"\n")[:-1]} if path.exists() else set()


def documents(out):
    """What was kept, but for the time."""
    found = list(lines(out / "parts"))
    for one in found:
        one["metadata"].pop("made")
    return found


def test_it_shows_what_was_kept_and_what_it_took(tmp_path, capsys):
    with ModelServer(played) as server:
        assert main(command(write_recipe(tmp_path, server.url), tmp_path / "out")) == 0
        answers = sum(server.answered.values())
    shown = capsys.readouterr().out
    assert f"요청 {answers}건" in shown
    assert "wrong answer" in shown
    assert f"axk1 corpus samples {tmp_path / 'out'}" in shown.replace("\n", "")
    assert main(["--lang", "ko", "corpus", "samples", str(tmp_path / "out"), "--dropped", "--step", "solved"]) == 0
    assert "solved · 버림 · wrong answer" in capsys.readouterr().out


def test_a_spent_budget_is_said_and_is_not_done(tmp_path, capsys):
    with ModelServer(played) as server:
        recipe = write_recipe(tmp_path, server.url)
        assert main([*command(recipe, tmp_path / "out"), "budget.requests=5"]) == 1
        assert sum(server.answered.values()) == 5
        assert "예산(요청 수)을 다 써서 멈췄습니다" in capsys.readouterr().out
        assert main(command(recipe, tmp_path / "out")) == 0
        assert max(server.answered.values()) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.output_terms=", "output_terms must say"),
        ("model.url=ftp://x", "url must begin with http"),
        ("tasks=[]", "a recipe needs tasks"),
        ("budget.euros=3", "unknown key 'euros'"),
        ('topics="none.toml"', "none.toml"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, change, message):
    with ModelServer(played) as server:
        assert main([*command(write_recipe(tmp_path, server.url), tmp_path / "out"), change]) == 2
        assert not server.asked
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("path", sorted((ROOT / "recipes/synthesis").glob("*.toml")), ids=lambda path: path.name)
def test_a_shipped_recipe_can_be_read_and_wants_the_terms_of_the_model(path):
    with pytest.raises(ValueError, match=r"missing key '(name|output_terms)'"):
        load(path, SynthesisConfig)
    assert load(path, SynthesisConfig, ["model.name=m", "model.output_terms=free"]).tasks


def _start(recipe, out):
    arguments = [sys.executable, "-m", "axk1", *command(recipe, out)]
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def _wait_for(answers, out, process):
    while len(stored(out)) < answers and process.poll() is None:
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_again_and_again_it_pays_for_nothing_twice(tmp_path, number):
    """A killed process may lose what was on its way to it, at most so many as were asked at a time; Ctrl-C nothing."""
    fault = lambda body, tried: FAULTS[len(body["messages"][-1]["content"]) % len(FAULTS)] if not tried else ""  # noqa: E731
    with ModelServer(played, fault, seconds=0.02) as server:
        recipe, out, stops = write_recipe(tmp_path, server.url, count=60), tmp_path / "out", 0
        for answers in (3, 20, 45):
            process = _start(recipe, out)
            _wait_for(answers, out, process)
            os.kill(process.pid, number)
            shown = process.communicate()[0]
            stops += 1
            assert process.returncode == (130 if number == signal.SIGINT else -number)
            assert "Traceback" not in shown
            assert number == signal.SIGKILL or "이어서 하려면: axk1 corpus synthesize" in shown
            assert not (out / "report.json").exists()
            answered = sum(server.answered.values())
            assert answered - len(stored(out)) <= (4 * stops if number == signal.SIGKILL else 0)
        process = _start(recipe, out)
        assert "남겼습니다" in process.communicate()[0]
        assert process.returncode == 0
        assert sum(server.answered.values()) - len(stored(out)) <= (4 * stops if number == signal.SIGKILL else 0)
        assert main(command(recipe, tmp_path / "whole")) == 0
        assert len(stored(tmp_path / "whole")) == len(stored(out))
    assert documents(out) == documents(tmp_path / "whole")


def test_a_model_folder_answers_instead_of_an_endpoint(tmp_path, small_model, capsys):
    recipe = write_recipe(tmp_path, "http://localhost:1/v1", count=3)
    assert main([*command(recipe, tmp_path / "out"), "--model", str(small_model), "model.max_tokens=8"]) == 0
    answers = [json.loads(line)["answer"] for line in (tmp_path / "out/answers.jsonl").read_bytes().split(b"\n")[:-1]]
    assert len(answers) == 13
    assert all(0 < one["completion_tokens"] <= 8 and one["prompt_tokens"] > 8 for one in answers)
    report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert sum(task["candidates"] for task in report["sources"]) == 13
