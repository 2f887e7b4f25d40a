"""The arithmetic of the engine benchmark: tokens per second, share of memory's limit, ratio to the best peer."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine_contenders import Candidate


@dataclass(frozen=True)
class Result:
    """One contender's answer to one line, in tokens per second, and the machine's peaks just before.

    `memory_share` is the part of what the read bandwidth allows one stream, None for other lines. Contenders with the
    same `comparison` ran interleaved.
    """

    preset: str
    line: str
    contender: str
    bits: int
    comparison: int
    best: float
    median: float
    memory_share: float | None
    gemm_bf16_gflops: float
    gemm_fp32_gflops: float
    read_gb_s: float


@dataclass(frozen=True)
class Ratio:
    """Ours over the best of the peers with as many bits. `median` is that of medians, to the same peer."""

    line: str
    bits: int
    peer: str
    best: float
    median: float


def result(
    preset: str,
    line: str,
    comparison: int,
    candidate: Candidate,
    seconds: Sequence[float],
    tokens: int,
    active: int,
    peaks: Mapping[str, float],
) -> Result:
    """`tokens` are those of one answer, `active` the weights that a token of one stream reads."""
    best = tokens / min(seconds)
    limit = peaks["read_gb_s"] * 1e9 / (active * candidate.weight_bits / 8)
    share = round(best / limit, 3) if line.startswith("decode 1 ") else None
    median = round(tokens / statistics.median(seconds), 1)
    return Result(preset, line, candidate.name, candidate.bits, comparison, round(best, 1), median, share, **peaks)


def ratios(results: Sequence[Result]) -> list[Ratio]:
    """One for every line and number of bits that ours and a peer answered.

    Each peer is compared with ours of its own comparison; the smallest ratio is that to the best peer.
    """
    ours = {(one.line, one.bits, one.comparison): one for one in results if one.contender.startswith("ours ")}
    found: dict[tuple[str, int], Ratio] = {}
    for one in results:
        mine = ours.get((one.line, one.bits, one.comparison))
        if mine is None or mine.contender == one.contender:
            continue
        ratio = Ratio(one.line, one.bits, one.contender, mine.best / one.best, mine.median / one.median)
        known = found.get((one.line, one.bits))
        if known is None or ratio.best < known.best:
            found[one.line, one.bits] = ratio
    return list(found.values())


def print_line(results: Sequence[Result]) -> None:
    """What the contenders of one group answered to one line."""
    first = results[0]
    print(
        f"\n{first.preset}, {first.line}   (GEMM bf16 {first.gemm_bf16_gflops:,.0f}, fp32 "
        f"{first.gemm_fp32_gflops:,.0f} GFLOP/s; read {first.read_gb_s:.1f} GB/s)"
    )
    print(f"  {'':22}{'best tok/s':>11}{'median':>10}{'of memory limit':>17}")
    for one in results:
        share = "" if one.memory_share is None else f"{one.memory_share:.0%}"
        print(f"  {one.contender:22}{one.best:11,.1f}{one.median:10,.1f}{share:>17}", flush=True)


def print_ratios(preset: str, found: Sequence[Ratio]) -> None:
    """The table of a preset: ours over the best peer."""
    if not found:
        return
    print(f"\n{preset}: ours / best peer of as many bits")
    print(f"  {'':16}{'bits':>5}{'best':>8}{'median':>8}  best peer")
    for one in found:
        print(f"  {one.line:16}{one.bits:5}{one.best:8.2f}{one.median:8.2f}  {one.peer}")
