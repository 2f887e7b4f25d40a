"""Recipe variants x seeds, several at a time on one device; what is finished is skipped, what was broken off goes on.

    python benchmarks/trials.py GRID.toml [--workers K] [--seconds S] [--out runs/trials]

The grid is a TOML file:

    until = "pretrain"                    # last stage of each run; "evals" for the graders too
    seeds = [0, 1, 2]
    measures = ["pretrain.validation."]   # prefixes of the numbers in the stages' done.json
    [variants.plain]
    recipe = "recipes/nano"
    [variants.faster]
    recipe = "recipes/nano"
    overrides = ["pretrain.training.learning_rate=1e-2"]

Variants with the same `data = "NAME"` are trained on the same files: OUT/data-NAME is a run up to the stage `data`, by
the first variant of that name, and the folders of the others link to its stages. Their recipes should differ in how
they train, no more.

Each run is `axk1 run` into OUT/VARIANT-SEED, with a log beside it. OUT/trials.jsonl and OUT/trials.txt hold the means
over seeds with a 95 % bootstrap interval.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Grid", "Variant", "interval", "load_grid", "main", "summarise"]

_GRACE_SECONDS = 20  # to write a resume point in after the signal
_DRAWS = 2000
_PREPARED = ("corpus", "tokenizer", "data")  # the stages before training


@dataclass(frozen=True)
class Variant:
    """A recipe folder, and what is changed in it: `stage.key=value`."""

    recipe: str
    overrides: tuple[str, ...] = ()
    sft: bool = True  # whether the recipe has a stage sft, which is given the seed too
    data: str = ""  # what the prepared files are called that it shares with others


@dataclass(frozen=True)
class Grid:
    """What to run and which numbers to read."""

    variants: Mapping[str, Variant]
    seeds: tuple[int, ...] = (0, 1, 2)
    until: str = "pretrain"
    measures: tuple[str, ...] = ("pretrain.validation.",)


@dataclass(frozen=True)
class Trial:
    """One variant with one seed."""

    name: str
    seed: int
    variant: Variant
    until: str
    out: Path
    extra: tuple[str, ...] = field(default=())
    text: Path = Path()

    @property
    def folder(self) -> Path:
        return self.out / f"{self.name}-{self.seed}"

    @property
    def done(self) -> bool:
        return (self.folder / self.until / "done.json").exists()

    @property
    def command(self) -> list[str]:
        stages = ["pretrain", "sft"] if self.variant.sft else ["pretrain"]
        seeds = [f"{stage}.training.seed={self.seed}" for stage in stages]
        changes = [*self.variant.overrides, *seeds, *self.extra]
        return self._run(self.folder, self.until, *changes)

    @property
    def shared(self) -> Path:
        """Where the stages lie that it shares."""
        return self.out / f"data-{self.variant.data}"

    @property
    def preparing(self) -> list[str]:
        """The command that makes them."""
        return self._run(self.shared, "data", *self.variant.overrides, *self.extra)

    def link(self) -> None:
        """The shared stages into its own folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for stage in _PREPARED:
            if not (self.folder / stage).exists():
                (self.folder / stage).symlink_to((self.shared / stage).resolve())

    def _run(self, folder: Path, until: str, *changes: str) -> list[str]:
        where = ["--out", str(folder), "--until", until, "--text", str(self.text)]
        return [sys.executable, "-m", "axk1", "run", self.variant.recipe, *changes, *where]


def load_grid(path: Path) -> Grid:
    """ValueError for a key that no grid has, a variant without a recipe, or a grid without variants or seeds."""
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    if unknown := values.keys() - {"variants", "seeds", "until", "measures"}:
        raise ValueError(f"{path}: no grid has {', '.join(sorted(unknown))}")
    variants = {name: _variant(path, name, one) for name, one in values.pop("variants", {}).items()}
    lists = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    grid = Grid(variants, **lists)
    if not grid.variants or not grid.seeds:
        raise ValueError(f"{path}: a grid needs at least one of variants and of seeds")
    return grid


def _variant(path: Path, name: str, values: Mapping[str, Any]) -> Variant:
    if "recipe" not in values or values.keys() - {"recipe", "overrides", "data"}:
        raise ValueError(f"{path}: variant {name} needs a recipe, and may have overrides and data; nothing else")
    recipe, overrides = values["recipe"], tuple(values.get("overrides", ()))
    return Variant(recipe, overrides, (Path(recipe) / "sft.toml").exists(), values.get("data", ""))


def trials_of(grid: Grid, out: Path, extra: Sequence[str] = (), text: Path = Path()) -> list[Trial]:
    """Seed by seed, so that a run cut short has compared all variants."""
    pairs = [(name, one, seed) for seed in grid.seeds for name, one in grid.variants.items()]
    return [Trial(name, seed, one, grid.until, out, tuple(extra), text) for name, one, seed in pairs]


def prepare(trials: Sequence[Trial]) -> None:
    """Make the files that variants share, once. CalledProcessError if that fails."""
    for trial in (one for one in trials if one.variant.data):
        if not (trial.shared / "data" / "done.json").exists():
            subprocess.run(trial.preparing, check=True)
        trial.link()


def run(trials: Sequence[Trial], workers: int, seconds: float) -> None:
    """Run what is not done, `workers` at a time, until `seconds` from now; then each is asked to stop and saves."""
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda trial: _run_one(trial, end, workers), [one for one in trials if not one.done]))


def _run_one(trial: Trial, end: float, workers: int) -> None:
    if time.monotonic() >= end:
        return
    threads = str(max((os.cpu_count() or 1) // workers, 1))
    trial.folder.parent.mkdir(parents=True, exist_ok=True)
    with open(trial.folder.with_suffix(".log"), "a", encoding="utf-8") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": threads}
        process = subprocess.Popen(trial.command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        code = _wait(process, end)
    print(f"{trial.folder.name}: {'done' if trial.done else f'not finished (exit {code}), see its log'}", flush=True)


def _wait(process: subprocess.Popen[bytes], end: float) -> int:
    try:
        return process.wait(max(end - time.monotonic(), 0.0))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def numbers(folder: Path) -> dict[str, float]:
    """Every number in the stages' done.json of a run, under its path: pretrain.validation.bits_per_byte."""
    found: dict[str, float] = {}
    for file in sorted(folder.glob("*/done.json")):
        found |= _flat(json.loads(file.read_text(encoding="utf-8")), f"{file.parent.name}.")
    return found


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{key}", float(value)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean."""
    rng = random.Random(0)
    means = sorted(statistics.fmean(rng.choices(values, k=len(values))) for _ in range(_DRAWS))
    return means[int(0.025 * _DRAWS)], means[int(0.975 * _DRAWS) - 1]


def summarise(grid: Grid, trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """A record per variant and measure, over the finished runs alone."""
    records = []
    for name in grid.variants:
        runs = [numbers(one.folder) for one in trials if one.name == name and one.done]
        measures = sorted({key for run in runs for key in run if key.startswith(grid.measures)})
        for measure in measures:
            values = [run[measure] for run in runs if measure in run]
            low, high = interval(values)
            mean = statistics.fmean(values)
            records.append({"variant": name, "measure": measure, "mean": mean, "low": low, "high": high, "of": values})
    return records


def text_of(records: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"{'variant':24} {'measure':40} {'mean':>9} {'95 % interval':>19}  seeds"]
    for one in records:
        between = f"{one['low']:.4f} .. {one['high']:.4f}"
        lines.append(f"{one['variant']:24} {one['measure']:40} {one['mean']:9.4f} {between:>19}  {len(one['of'])}")
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("grid", type=Path)
    parser.add_argument("changes", nargs="*", help="overrides for every variant: STAGE.KEY=VALUE")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--out", type=Path, default=Path("runs/trials"))
    parser.add_argument("--text", type=Path, default=Path(), help="the folder of the sources' texts")
    options = parser.parse_intermixed_args(argv)
    grid = load_grid(options.grid)
    trials = trials_of(grid, options.out, options.changes, options.text)
    prepare(trials)
    run(trials, options.workers, options.seconds)
    records = summarise(grid, trials)
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records)
    (options.out / "trials.jsonl").write_text(lines, encoding="utf-8")
    (options.out / "trials.txt").write_text(text_of(records), encoding="utf-8")
    print(text_of(records), end="")


if __name__ == "__main__":
    main()
