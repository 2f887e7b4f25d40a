"""`axk1 plot`: the curves of runs as pictures."""

import argparse
from pathlib import Path

from axk1.cli.words import Words
from axk1.train import plots

__all__ = ["plot"]


def plot(argv: list[str], say: Words) -> int:
    """Draw each run's curves again and, for several runs, their validation measure over tokens in one picture."""
    options = _parser(say).parse_args(argv)
    for run in options.runs:
        if not (run / "run.json").exists():
            raise ValueError(f"{run} is no run folder (run.json is missing)")
    drawn = [path for run in options.runs for stage in ("pretrain", "sft") for path in plots.draw(run / stage)]
    if len(options.runs) > 1:
        folders = {run.name: run / options.stage for run in options.runs}
        drawn.append(plots.compare(folders, options.out or options.runs[0] / "comparison.png", options.measure))
    for path in drawn:
        print(path)
    return 0


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axk1 plot", description=say("학습 기록을 그림으로", "the curves of runs as pictures")
    )
    add = parser.add_argument
    add(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help=say("실행 폴더, 여럿이면 견주기", "run folders; several are compared"),
    )
    add(
        "--out",
        type=Path,
        metavar="PNG",
        help=say("견준 그림의 자리", "where the comparison goes (else in the first run)"),
    )
    add("--measure", default="bits_per_byte", help=say("견줄 검증 값", "the validation measure to compare"))
    add("--stage", default="pretrain", choices=("pretrain", "sft"), help=say("견줄 단계", "the stage to compare"))
    return parser
