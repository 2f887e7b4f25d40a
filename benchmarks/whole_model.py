"""What A.X K1 would do on this machine if its weights lay in memory: estimated from single layers at full size.

    python benchmarks/whole_model.py [--formats int4-g64 int8] [--rounds 8] [--save]

Three models of random weights are timed, interleaved: A, one dense layer with the full vocabulary; B, the same with
8,192 tokens; C, B with a sparse layer. A sparse layer takes C - B, and A.X K1, which is A with 60 sparse layers,
A + 60 (C - B). All that is in these times is measured: attention, experts, norms, head. Not in them: what a machine
that held 277 GB (int4) would do better or worse, such as a cache shared with more layers.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import contest
import machine
import torch
from contest import Contender
from engine_contenders import HERE
from engine_models import integers
from workload import STEPS, lines_of, tokens_of

from axk1.arch import ModelConfig, active_parameters, parameters, preset
from axk1.export.quantize_formats import Scheme, parse_format

K1, SLICE = preset("k1"), preset("slice")
DENSE = replace(SLICE, num_hidden_layers=1)
SHAPES = {"A": replace(DENSE, vocab_size=K1.vocab_size), "B": DENSE, "C": SLICE}
SPARSE_LAYERS = len(K1.sparse_layers)
MEANING = {
    "A": f"one dense layer, vocabulary {K1.vocab_size:,}",
    "B": f"one dense layer, vocabulary {SLICE.vocab_size:,}",
    "C": f"one dense and one sparse layer, vocabulary {SLICE.vocab_size:,}",
}


@dataclass(frozen=True)
class Estimate:
    """Milliseconds of one pass over A, B and C, and what follows for the whole model. Of a prompt: all its tokens."""

    format: str
    line: str
    a_ms: float
    b_ms: float
    c_ms: float
    sparse_layer_ms: float
    whole_ms: float
    tokens_s: float
    tokens_s_median: float
    read_gb_s: float


def whole(a: float, b: float, c: float) -> float:
    """Time of A.X K1 from those of A, B and C."""
    return a + SPARSE_LAYERS * (c - b)


def estimate(form: str, line: str, seconds: dict[str, list[float]], read_gb_s: float) -> Estimate:
    """From the best of each, and from the medians."""
    passes = STEPS if line.startswith("decode") else 1
    best, median = (times(seconds, of, passes) for of in (min, statistics.median))
    tokens = tokens_of(line) / passes
    milliseconds = [round(1e3 * value, 2) for value in (*best, best[2] - best[1], whole(*best))]
    return Estimate(
        form, line, *milliseconds, round(tokens / whole(*best), 3), round(tokens / whole(*median), 3), read_gb_s
    )


def times(seconds: dict[str, list[float]], of: Callable[[Sequence[float]], float], passes: int) -> tuple[float, ...]:
    return tuple(of(seconds[name]) / passes for name in SHAPES)


def bits(scheme: Scheme) -> float:
    """Of a weight, with its part of a 16-bit scale."""
    return scheme.bits + (16 / scheme.group_size if scheme.group_size else 0)


def gigabytes(config: ModelConfig, form: str, *, active: bool) -> float:
    """Of all weights, or of those that one token reads."""
    scheme = parse_format(form)
    assert scheme is not None
    weights = parameters(config)
    if active:
        weights = active_parameters(config) - config.vocab_size * config.hidden_size  # of the embedding it reads a row
    return weights * bits(scheme) / 8e9


def report(one: Estimate) -> None:
    prompt = one.line.startswith("prompt")
    print(f"\n{one.format}, {one.line}: milliseconds {'of the prompt' if prompt else 'a step'}")
    for name, value in (("A", one.a_ms), ("B", one.b_ms), ("C", one.c_ms)):
        print(f"  {name} {value:10.2f}  {MEANING[name]}")
    print(f"  sparse layer = C - B = {one.c_ms:.2f} - {one.b_ms:.2f} = {one.sparse_layer_ms:.2f} ms")
    print(
        f"  A.X K1 = A + {SPARSE_LAYERS} (C - B) = {one.a_ms:.2f} + {SPARSE_LAYERS} x {one.sparse_layer_ms:.2f} "
        f"= {one.whole_ms:,.1f} ms: {one.tokens_s:.2f} tokens/s (from medians {one.tokens_s_median:.2f})"
    )
    if one.line.startswith("decode 1 "):
        active = gigabytes(K1, one.format, active=True)
        limit, everything = one.read_gb_s / active, gigabytes(K1, one.format, active=False)
        print(
            f"  limit of memory: {active:.1f} GB a token at {one.read_gb_s:.1f} GB/s = {limit:.2f} tokens/s; the "
            f"estimate is {one.tokens_s / limit:.0%} of it. All weights: {everything:,.0f} GB"
        )


def measure(form: str, folder: Path, threads: int, rounds: int) -> list[Estimate]:
    """One for every line."""
    paths = {name: folder / f"k1-{name.lower()}-{form}" for name in SHAPES}
    for name, path in paths.items():
        if not path.exists():
            print(f"making {path}", flush=True)
            integers(SHAPES[name], form, path)
    estimates = []
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(
                Contender([sys.executable, str(HERE / "engine_ours.py"), str(path), str(threads)], threads)
            )
            for name, path in paths.items()
        }
        for line in lines_of("slice"):
            read = machine.peaks()["read_gb_s"]
            estimates.append(estimate(form, line, contest.rounds(running, line, rounds), read))
            report(estimates[-1])
    return estimates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--formats", nargs="+", default=["int4-g64", "int8"])
    parser.add_argument("--folder", type=Path, default=Path("runs/benchmark"), help="where the models lie")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    contest.exit_when_terminated()
    torch.set_num_threads(options.threads)
    for form in options.formats:
        estimates = measure(form, options.folder, options.threads, options.rounds)
        if options.save:
            machine.record("whole_model", map(asdict, estimates), sys.argv[1:])


if __name__ == "__main__":
    main()
