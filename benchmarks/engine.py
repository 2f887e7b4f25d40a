"""Speed of reading prompts and of decoding, ours and the peers' interleaved, on the same random weights.

    python benchmarks/engine.py mini [--rounds 8] [--save]

Contenders: our engine on bf16, int8 and int4 (groups of 64) weights, and transformers in bf16, tuned (grouped experts,
tcmalloc where Debian's libtcmalloc-minimal4 is installed). Checkpoints are made once in --folder. Prints best and
median tokens/s and the ratio to the peer; --save appends to benchmarks/results/engine.jsonl. Beside them stands the
limit of memory for one stream: the bytes of active weights over the measured read bandwidth.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import contest
import machine
import torch
from contest import Contender
from workload import LINES, tokens_of

from axk1.arch import active_parameters, preset
from axk1.export.huggingface import save as save_folder
from axk1.model.transformer import Transformer

HERE = Path(__file__).parent
FORMATS = {"bf16": 16.0, "int8": 8.25, "int4-g64": 4.25}  # bits a weight, scales included


@dataclass(frozen=True)
class Result:
    """One contender's answer to one line, in tokens per second."""

    preset: str
    line: str
    contender: str
    best: float
    median: float


def make(name: str, folder: Path) -> dict[str, Path]:
    """The folder of every format, made unless it is there."""
    paths = {form: folder / f"{name}-{form}" for form in FORMATS}
    if not paths["bf16"].exists():
        torch.manual_seed(0)
        model = Transformer(preset(name)).cast(torch.bfloat16)
        save_folder(model.state_dict(), model.config, paths["bf16"], {}, dtype=torch.bfloat16)
    for form, path in paths.items():
        if not path.exists():
            quantise = ["quantize", str(paths["bf16"]), str(path), "--format", form, "--head", form]
            subprocess.run([sys.executable, "-m", "axk1", *quantise], check=True)
    return paths


def contenders(paths: dict[str, Path], threads: int) -> dict[str, Contender]:
    ours = {
        f"ours {form}": Contender([sys.executable, str(HERE / "engine_ours.py"), str(path), str(threads)], threads)
        for form, path in paths.items()
    }
    peer = [sys.executable, str(HERE / "engine_transformers.py"), str(paths["bf16"])]
    return {**ours, "transformers bf16": Contender(peer, threads, tcmalloc=True)}


def measured(name: str, line: str, seconds: dict[str, list[float]]) -> list[Result]:
    count = tokens_of(line)
    return [
        Result(name, line, who, round(count / min(times), 1), round(count / statistics.median(times), 1))
        for who, times in seconds.items()
    ]


def report(results: list[Result]) -> None:
    peer = next(one for one in results if one.contender.startswith("transformers"))
    print(f"\n{results[0].line}")
    for one in results:
        ratio = f"{one.best / peer.best:.2f} ({one.median / peer.median:.2f})"
        print(f"  {one.contender:20}{one.best:10,.0f}{one.median:10,.0f}{ratio:>16}")


def limits(name: str, peaks: dict[str, float]) -> None:
    active = active_parameters(preset(name)) - preset(name).vocab_size * preset(name).hidden_size
    print(f"{name}; " + ", ".join(f"{key} {value:g}" for key, value in peaks.items()))
    for form, bits in FORMATS.items():
        print(
            f"  limit of memory for one stream, {form}: {peaks['read_gb_s'] * 1e9 / (active * bits / 8):,.0f} tokens/s"
        )
    print(f"  {'':20}{'best tok/s':>10}{'median':>10}{'x transformers':>16}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="+")
    parser.add_argument("--folder", type=Path, default=Path("runs/benchmark"), help="where the checkpoints lie")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.presets:
        running = contenders(make(name, options.folder), options.threads)
        limits(name, machine.peaks())
        for line in LINES:
            results = measured(name, line, contest.rounds(running, line, options.rounds))
            report(results)
            if options.save:
                machine.record("engine", map(asdict, results), sys.argv[1:])
        for one in running.values():
            one.close()


if __name__ == "__main__":
    main()
