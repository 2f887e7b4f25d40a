"""The fuzzer of the checkpoint reader: `make fuzz SECONDS=600`, or with PYTHONPATH=tests `python -m fuzz --help`.

Case n of seed s is always the same folder, so a failure is its two numbers: `--seed s --case n` runs it again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from axk1.engine.native_library import load
from fuzz.judge import Verdict, judge, worst
from fuzz.mutations import mutate
from fuzz.valid import STORAGES, Files, files


def main() -> int:
    options = _parser().parse_args()
    load()  # before the forks
    valid = {name: files(storage) for name, storage in STORAGES.items()}
    end = time.monotonic() + options.seconds
    counts: Counter[str] = Counter()
    failures, slowest, largest, number = [], 0.0, 0, options.case or 0
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as scratch:
        while time.monotonic() < end and counts.total() < options.cases:
            folder, what = case(valid, options.seed, number)
            verdicts = _judged(folder, Path(scratch) / "model")
            counts[worst(verdicts).kind] += 1
            slowest = max(slowest, *(one.seconds for one in verdicts))
            largest = max(largest, *(one.bytes for one in verdicts))
            if worst(verdicts).kind == "failed":
                failures.append(number)
                _save(options.out / f"seed{options.seed}-case{number}", folder, what, verdicts)
                print(f"case {number}: {what}: {worst(verdicts).message}", file=sys.stderr)
            number += 1
            if options.case is not None:
                print(what, *verdicts, sep="\n")
                break
    found = {"seed": options.seed, "cases": counts.total(), **counts, "failures": failures}
    print(json.dumps({**found, "slowest_s": round(slowest, 2), "largest_mb": largest >> 20}))
    return 1 if failures else 0


def case(valid: dict[str, Files], seed: int, number: int) -> tuple[Files, str]:
    """The folder of that number, and what is wrong with it."""
    random = Random(f"{seed}:{number}")
    name = random.choice(list(valid))
    broken, done = mutate(valid[name], random)
    return broken, f"{name}: {', '.join(done)}"


def _judged(content: Files, path: Path) -> list[Verdict]:
    path.mkdir(exist_ok=True)
    for old in path.iterdir():
        old.unlink()
    for name, data in content.items():
        (path / name).write_bytes(data)
    return judge(path)


def _save(out: Path, content: Files, what: str, verdicts: list[Verdict]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, data in content.items():
        (out / name).write_bytes(data)
    (out / "failure.txt").write_text("\n".join([what, *map(str, verdicts)]) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fuzz", description="broken checkpoint folders against both back ends")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--cases", type=int, default=sys.maxsize, help="at most so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="this one alone")
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"), help="where failures are kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
