"""Speed of reading prompts and of decoding, ours and the peers' interleaved, on random weights of the same shape.

    python benchmarks/engine.py mini base [--contenders "ours *" "llama.cpp *"] [--rounds 8] [--save]

Contenders: our engine on bf16, int8 and int4 (groups of 64) weights; llama.cpp on BF16, Q8_0 and Q4_K; vLLM for CPUs
with and without zentorch, and transformers, all bf16. The peers are tuned: see each one's file. Their environments are
made by benchmarks/peers/*.sh; who is not installed is named and left out. Models are made once in --folder.

Contenders that memory holds run together and are asked in turn, the others stopped; ours is loaded with each of the
peers it is compared with. Before every line the machine's GEMM and read rates are measured. Prints best and median
tokens/s, for one stream the share of memory's limit (bytes of active weights over the read rate), and the ratio to the
best peer of as many bits; --save appends to benchmarks/results/engine.jsonl.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path

import contest
import machine
import torch
from engine_contenders import CANDIDATES, Candidate, chosen, how_to_install, python_of, start
from engine_groups import Group, grouped
from engine_models import make, size_of
from engine_report import Result, print_line, print_ratios, ratios, result
from workload import lines_of, tokens_of

from axk1.arch import active_parameters, preset

LLAMA = next(one for one in CANDIDATES if one.program == "llama.cpp")


@dataclass(frozen=True)
class Run:
    """The settings of one call."""

    folder: Path
    environments: Path
    threads: int
    rounds: int
    memory: float
    lines: tuple[str, ...]


def available_memory() -> float:
    """Bytes that can be had without swapping; a tenth is left to others."""
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").split("\n"):
        if line.startswith("MemAvailable:"):
            return 0.9 * 1024 * int(line.split()[1])
    raise SystemExit("/proc/meminfo has no MemAvailable: give --memory")


def installed(candidates: Sequence[Candidate], environments: Path) -> list[Candidate]:
    """Those whose environment is there; the commands that make the others' are printed."""
    commands: dict[str, list[str]] = defaultdict(list)
    for one in candidates:
        if command := how_to_install(one, environments):
            commands[command].append(one.name)
    for command, names in commands.items():
        print(f"left out: {', '.join(names)}. To install: {command}")
    return [one for one in candidates if how_to_install(one, environments) is None]


def compare(name: str, candidates: Sequence[Candidate], run: Run) -> list[Result]:
    """Every candidate's answers to this preset's lines."""
    llama_python = python_of(LLAMA, run.environments)
    models = {one: make(name, one.model, run.folder, llama_python) for one in candidates}
    memory = {one: one.memory(size_of(path)) for one, path in models.items()}
    results = []
    for group in grouped(candidates, memory, run.memory):
        for answers in answered(name, group, models, run):
            print_line(answers)
            results += answers
    return merged(results)


def answered(name: str, group: Group, models: dict[Candidate, Path], run: Run) -> Iterator[list[Result]]:
    """The results of every line, one group loaded."""
    active = active_parameters(preset(name)) - preset(name).vocab_size * preset(name).hidden_size
    with ExitStack() as stack:
        running = {}
        for one in group.members:
            log = run.folder / f"{name}-{one.name.replace(' ', '-')}.log"
            running[one.name] = stack.enter_context(start(one, models[one], run.environments, run.threads, log))
        for line in (one for one in lines_of(name) if any(fnmatch(one, pattern) for pattern in run.lines)):
            peaks = machine.peaks()
            seconds = contest.rounds(running, line, max(1, round(run.rounds * group.share)))
            yield [
                result(name, line, group.comparison, one, seconds[one.name], tokens_of(line), active, peaks)
                for one in group.members
            ]


def merged(results: Sequence[Result]) -> list[Result]:
    """Of a contender that ran twice for one comparison, the better run."""
    best: dict[tuple[str, str, int], Result] = {}
    for one in results:
        key = (one.line, one.contender, one.comparison)
        if key not in best or one.best > best[key].best:
            best[key] = one
    return list(best.values())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="+")
    parser.add_argument(
        "--contenders", nargs="+", default=["*"], metavar="GLOB", help="names, as printed (default: all)"
    )
    parser.add_argument("--lines", nargs="+", default=["*"], metavar="GLOB", help='as printed, e.g. "decode 1 *"')
    parser.add_argument("--folder", type=Path, default=Path("runs/benchmark"), help="where models and logs lie")
    parser.add_argument("--environments", type=Path, default=Path("runs/peers"), help="where the peers are installed")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--memory", type=float, metavar="GB", help="for all that run together (default: what is free)")
    parser.add_argument("--save", action="store_true")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    contest.exit_when_terminated()
    torch.set_num_threads(options.threads)
    memory = options.memory * 1e9 if options.memory else available_memory()
    settings = (options.folder, options.environments, options.threads, options.rounds, memory, tuple(options.lines))
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.presets:
        results = compare(name, installed(chosen(name, options.contenders), options.environments), Run(*settings))
        print_ratios(name, ratios(results))
        if options.save:
            machine.record("engine", map(asdict, results), sys.argv[1:])


if __name__ == "__main__":
    main()
