"""Grids of recipe variants: what is read, which commands they mean, and what the table says."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def trials() -> ModuleType:
    spec = importlib.util.spec_from_file_location("trials", Path(__file__).parents[1] / "benchmarks" / "trials.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["trials"] = module
    spec.loader.exec_module(module)
    return module


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


GRID = 'seeds = [3, 4]\n[variants.a]\nrecipe = "r"\noverrides = ["pretrain.training.tokens=1"]\n'


def test_a_trial_is_a_command_with_its_seed(trials, tmp_path):
    grid = trials.load_grid(write(tmp_path / "g.toml", GRID))
    made = trials.trials_of(grid, tmp_path, ["pretrain.training.device=cpu"])
    assert [one.folder.name for one in made] == ["a-3", "a-4"]
    assert made[1].command[3:] == [
        "run",
        "r",
        "pretrain.training.tokens=1",
        "pretrain.training.seed=4",
        "pretrain.training.device=cpu",
        "--out",
        str(tmp_path / "a-4"),
        "--until",
        "pretrain",
        "--text",
        ".",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds = [1]", "at least one"),
        (GRID.replace("seeds = [3, 4]", "seeds = []"), "at least one"),
        (GRID + "x = 1", "nothing else"),
        ("colour = 1\n" + GRID, "colour"),
    ],
)
def test_a_wrong_grid_is_one_clear_error(trials, text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        trials.load_grid(write(tmp_path / "g.toml", text))


def test_the_table_is_of_finished_runs_alone(trials, tmp_path):
    grid = trials.load_grid(write(tmp_path / "g.toml", GRID.replace("[3, 4]", "[3, 4, 5]")))
    made = trials.trials_of(grid, tmp_path)
    for trial, value in zip(made[:2], (1.0, 3.0), strict=True):
        (trial.folder / "pretrain").mkdir(parents=True)
        done = {"loss": 9.0, "validation": {"bits_per_byte": value}}
        write(trial.folder / "pretrain" / "done.json", json.dumps(done))
    (record,) = trials.summarise(grid, made)
    assert record["measure"] == "pretrain.validation.bits_per_byte"
    assert record["of"] == [1.0, 3.0]
    assert record["mean"] == 2.0
    assert (record["low"], record["high"]) == (1.0, 3.0)


def test_a_broken_run_is_told_and_stops_no_other(trials, tmp_path, capsys):
    grid = trials.load_grid(write(tmp_path / "g.toml", GRID))
    trials.run(trials.trials_of(grid, tmp_path), 2, 300)  # a busy machine is no failure
    told = capsys.readouterr().out
    assert "a-3: not finished" in told
    assert "a-4: not finished" in told
    assert "no such recipe" in (tmp_path / "a-3.log").read_text(encoding="utf-8")


def test_variants_share_the_files_that_they_name(trials, tmp_path, monkeypatch):
    """One run up to the data for each name, linked into every trial; what is there is not made again."""
    made = []

    def run(command, check):
        assert check
        made.append(command)
        folder = Path(command[command.index("--out") + 1])
        for stage in ("corpus", "tokenizer", "data"):
            (folder / stage).mkdir(parents=True)
            (folder / stage / "done.json").write_text(json.dumps({"of": stage}), encoding="utf-8")

    monkeypatch.setattr(trials.subprocess, "run", run)
    text = GRID + 'data = "x"\n[variants.b]\nrecipe = "r"\ndata = "x"\n[variants.c]\nrecipe = "r"\n'
    planned = trials.trials_of(trials.load_grid(write(tmp_path / "g.toml", text)), tmp_path, [], Path("texts"))
    for _ in range(2):
        trials.prepare(planned)
    where = ["--out", str(tmp_path / "data-x"), "--until", "data", "--text", "texts"]
    assert [command[3:] for command in made] == [["run", "r", "pretrain.training.tokens=1", *where]]
    for name in ("a-3", "a-4", "b-3", "b-4"):
        assert trials.numbers(tmp_path / name) == {}
        assert json.loads((tmp_path / name / "data" / "done.json").read_text(encoding="utf-8")) == {"of": "data"}
        assert not (tmp_path / name / "run.json").exists()
    assert not (tmp_path / "c-3").exists()
