"""Training speed, ours and transformers' interleaved: forward, backward and AdamW on the same number of random tokens.

    python benchmarks/train.py nano mini [--rounds 12] [--save]

Each contender is a process of its own that keeps its model and runs one step when asked; the parent asks them in turn,
so that all see the same neighbours. The peer runs tuned: grouped_mm experts, fused AdamW, the faster of fp32 (oneDNN)
and pure bf16 for its size, and tcmalloc preloaded where it is installed (Debian: libtcmalloc-minimal4). `dense` is our
trainer with a dense model of the same active size: what the machine gives without experts.
Prints best and median tokens/s, the ratio to the peer and the share of the measured GEMM peak; --save appends the
figures to benchmarks/results/train.jsonl.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import contest
import machine
import torch
from contest import Contender
from serving import BATCH, SEQ_LEN
from train_ours import same_active_dense

from axk1.arch import preset
from axk1.arch.arithmetic import training_flops
from axk1.train.precision import has_fast_bf16

HERE = Path(__file__).parent
PEER_FORMAT = {"nano": "fp32", "mini": "bf16"}  # whichever is faster for the peer at this size


@dataclass(frozen=True)
class Result:
    """One contender in one run; tokens per second, GFLOP/s of its best step and their share of the GEMM peak."""

    contender: str
    preset: str
    format: str
    best: int
    median: int
    gflops: int
    peak_share: float


def our_format() -> str:
    return "bf16" if has_fast_bf16() else "fp32"


def command(contender: str, name: str) -> list[str]:
    if contender == "transformers":
        return [sys.executable, str(HERE / "train_transformers.py"), name, PEER_FORMAT[name]]
    return [sys.executable, str(HERE / "train_ours.py"), "dense" if contender == "dense" else "sparse", name]


def compare(name: str, contenders: list[str], rounds: int, threads: int) -> list[Result]:
    children = {one: Contender(command(one, name), threads, tcmalloc=one == "transformers") for one in contenders}
    seconds = contest.rounds(children, "step", rounds)
    for child in children.values():
        child.close()
    peaks = machine.peaks()
    shown = ", ".join(f"{key} {value:g}" for key, value in peaks.items())
    print(f"\n{name}: {BATCH[name]} x {SEQ_LEN} tokens a step; {shown}")
    return [measured(name, contender, seconds[contender], peaks) for contender in contenders]


def measured(name: str, contender: str, seconds: list[float], peaks: dict[str, float]) -> Result:
    config = same_active_dense(preset(name)) if contender == "dense" else preset(name)
    number_format = PEER_FORMAT[name] if contender == "transformers" else our_format()
    tokens = BATCH[name] * SEQ_LEN
    gflops = training_flops(config, SEQ_LEN) * tokens / min(seconds) / 1e9
    share = gflops / peaks[f"gemm_{number_format}_gflops"]
    best, median = tokens / min(seconds), tokens / statistics.median(seconds)
    return Result(contender, name, number_format, round(best), round(median), round(gflops), round(share, 3))


def report(results: list[Result]) -> None:
    print(f"{'':14}{'format':>8}{'best tok/s':>12}{'median':>9}{'GFLOP/s':>9}{'of peak':>9}{'x transformers':>18}")
    peer = next((one for one in results if one.contender == "transformers"), None)
    for one in results:
        ratio = f"{one.best / peer.best:.2f} ({one.median / peer.median:.2f})" if peer else "-"
        print(
            f"{one.contender:14}{one.format:>8}{one.best:12,}{one.median:9,}{one.gflops:9,}"
            f"{one.peak_share:9.0%}{ratio:>18}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="+", choices=tuple(BATCH))
    parser.add_argument("--contenders", default="ours,transformers,dense", help="in this order (default: all three)")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.presets:
        results = compare(name, options.contenders.split(","), options.rounds, options.threads)
        report(results)
        if options.save:
            machine.record("train", map(asdict, results), sys.argv[1:])


if __name__ == "__main__":
    main()
