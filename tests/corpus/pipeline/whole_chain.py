"""The whole chain of recipes/corpus/korean.toml over one folder of text: how much memory it takes, and whether a run
that is killed again and again ends in the same bytes as one that is not.

    python tests/corpus/pipeline/whole_chain.py memory FOLDER    # FOLDER holds files with a field "text"
    python tests/corpus/pipeline/whole_chain.py resume FOLDER --kills 5
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

RECIPE = Path(__file__).parents[3] / "recipes/corpus/korean.toml"
MEMORY_BYTES = 2_000_000  # of each step that remembers; above it, tables move to files
BOUNDED = ("exact_dedup", "near_dedup", "repeated_text")

BUILD = """
import json, sys
from pathlib import Path
from axk1.corpus.pipeline.pipeline import run_pipeline
from axk1.corpus.pipeline.settings import PipelineConfig
from axk1.corpus.source import Source

if __name__ == "__main__":
    folder, out, tasks, workers, steps = sys.argv[1:]
    config = PipelineConfig((Source(folder, name="text"),), tuple(json.loads(steps)), tasks=int(tasks))
    run_pipeline(config, Path(out), int(workers))
"""


def steps_of_the_recipe(*, bounded: bool) -> list[object]:
    """Its steps; `bounded`: those that remember get MEMORY_BYTES each."""
    steps: list[Any] = tomllib.loads(RECIPE.read_text("utf-8"))["steps"]
    named = [{"name": one} if isinstance(one, str) else one for one in steps]
    return [{**one, "memory_bytes": MEMORY_BYTES} if bounded and one["name"] in BOUNDED else one for one in named]


def begun(
    folder: Path, out: Path, *, tasks: int = 4, workers: int = 1, bounded: bool = True
) -> subprocess.Popen[bytes]:
    """The chain, in a process group of its own."""
    steps = json.dumps(steps_of_the_recipe(bounded=bounded))
    command = [sys.executable, "-c", BUILD, str(folder), str(out), str(tasks), str(workers), steps]
    return subprocess.Popen(command, start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def finished(process: subprocess.Popen[bytes]) -> None:
    if process.wait():
        raise RuntimeError(f"the chain ended with {process.returncode}")


def digest_of(out: Path) -> str:
    """Of the names and bytes of all that is kept, dropped and sampled."""
    found = hashlib.sha256()
    for part in ("parts", "rejects", "samples"):
        for path in sorted((out / part).rglob("*")):
            if path.is_file():
                found.update(f"{path.relative_to(out)}\0".encode() + path.read_bytes())
    return found.hexdigest()


def killed_and_resumed(folder: Path, work: Path, kills: int, seed: int = 0) -> tuple[str, str, list[float]]:
    """Digests of the whole and of the broken run, and the seconds after which it was killed, all with SIGKILL."""
    rng, began = random.Random(seed), time.monotonic()
    finished(begun(folder, work / "whole", workers=2))
    whole, moments = time.monotonic() - began, list[float]()
    while len(moments) < kills:
        process, wait = begun(folder, work / "broken", workers=2), rng.uniform(0.05, 1.3 / kills) * whole
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            moments.append(round(wait, 1))
        else:
            break
    finished(begun(folder, work / "broken", workers=2))
    return digest_of(work / "whole"), digest_of(work / "broken"), moments


def peak_of(folder: Path, out: Path) -> tuple[int, float]:
    """Documents and megabytes, all tasks one after the other in one process."""
    finished(begun(folder, out))
    report = json.loads((out / "report.json").read_text("utf-8"))
    return report["read"]["documents"], report["peak_memory"] / 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("memory", "resume"))
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    for folder in options.folders:
        with tempfile.TemporaryDirectory() as name:
            if options.what == "memory":
                documents, megabytes = peak_of(folder, Path(name) / "out")
                print(f"{folder}: {documents:,} documents, at most {megabytes:.0f} MB", flush=True)
            else:
                whole, broken, moments = killed_and_resumed(folder, Path(name), options.kills)
                print(
                    f"{folder}: killed after {moments} s; {'the same' if whole == broken else 'OTHER'} bytes",
                    flush=True,
                )


if __name__ == "__main__":
    main()
