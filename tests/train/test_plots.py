"""Pictures: drawn without a display, from what the metrics hold; broken lines and missing values are no accident."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from axk1.runs import Metrics
from axk1.train import plots


def run(folder: Path, steps: int = 20, load: list[list[int]] | None = None) -> Path:
    folder.mkdir()
    metrics = Metrics(folder / "metrics.jsonl")
    for step in range(1, steps + 1):
        line = {"step": step, "tokens": step * 10, "loss": 3 / step, "learning_rate": 1e-3, "grad_norm": 1.0}
        line |= {"tokens_per_second": 100.0, "maxvio": 0.5, "mean_violation": 0.2, "dead_experts": 0}
        if step == 7:
            line |= {"loss": float("nan"), "event": "non-finite"}
        if load is not None and step % 5 == 0:
            line["load"] = load
        metrics.write(**line)
        if step % 10 == 0:
            metrics.write(step=step, tokens=step * 10, validation={"bits_per_byte": 2.0 / step})
    return folder


def is_drawn(path: Path) -> bool:
    picture = imread(path)
    return min(picture.shape[:2]) > 300 and float(np.std(picture)) > 0.01


def test_a_sparse_run_gets_both_pictures(tmp_path: Path) -> None:
    folder = run(tmp_path / "moe", load=[[1, 2, 3, 4], [5, 5, 5, 5]])
    assert plots.draw(folder) == [folder / "training.png", folder / "experts.png"]
    assert is_drawn(folder / "training.png")
    assert is_drawn(folder / "experts.png")


def test_a_dense_run_has_no_experts(tmp_path: Path) -> None:
    assert [path.name for path in plots.draw(run(tmp_path / "dense"))] == ["training.png"]


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    assert plots.draw(tmp_path) == []


def test_runs_are_compared(tmp_path: Path) -> None:
    runs = {"sparse": run(tmp_path / "a"), "dense": run(tmp_path / "b")}
    assert is_drawn(plots.compare(runs, tmp_path / "plots" / "compare.png"))


def test_a_run_without_the_measure_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no validation 'accuracy'"):
        plots.compare({"one": run(tmp_path / "a")}, tmp_path / "x.png", "accuracy")
