"""Larger than memory: tokens/s predicted from the hit curve and the disk, then measured.

    python benchmarks/streaming.py FOLDER --memory 6G [--tokens 256] [--save]

Make the folder with skewed routing, since evenly random routers are unlike any trained one:

    axk1 quantize --random 30b-a3b --format int4-g64 --skew 0.5 FOLDER

The routing is synthetic all the same. The states of a random model have much in common, which makes its routers more
skewed than the biases alone (0.5 comes out about as a Zipf law of 1): the frequencies printed are those measured. There
are no topics: neighbouring tokens share no more experts than distant ones.

1. The disk: direct reads of an expert's size at random places, in pieces of 1 MiB, 1 to 8 at a time.
2. A first text, all weights in memory if the machine has that much left, else in the memory given, less the time that
   was waited for reads: its routing, and seconds per token without the disk.
3. The hit curve: the library's own rule of eviction over that trace, without reads ahead.
4. The prediction. In a layer, reads of m missing experts begin when the router has spoken, and go on beside the shared
   expert and the experts that are in memory; the rest of their time is waited for. A token takes
   compute + sum over layers of max(0, m x expert bytes / disk rate(m) - compute of what goes on meanwhile).
5. Other texts, other seeds, in the memory given, with reads ahead and without.
6. The same formula for A.X K1 (519B) in int4, with routing drawn from the same law and this machine's compute and disk.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import numpy as np
from numpy.typing import NDArray
from streaming_ours import BLOCK, MOST_TOKENS, WARM

from axk1.arch import ModelConfig, active_parameters, preset
from axk1.checkpoint import CheckpointFolder
from axk1.engine.available import available_bytes
from axk1.engine.disk import read_rate
from axk1.engine.memory import bytes_of, cache_of, planned
from axk1.engine.native_backend import ROUTING, NativeBackend, simulated
from axk1.engine.streaming import Footprint
from axk1.export.quantize_random import zipf_biases

HERE = Path(__file__).parent
DEPTHS = (1, 2, 4, 8)
PIECE = 1 << 20  # bytes of one read of the library
INT4_BITS = 4.25
GIB = 1 << 30
SURELY = 0.85  # of the memory that is left: mapped weights stay there, whatever the neighbours do


@dataclass(frozen=True)
class Shape:
    """Bytes that matter: of an expert in a slot, and of what else a layer reads for a token."""

    layers: int
    chosen: int
    expert: float
    shared: float
    attention: float

    @classmethod
    def of(cls, config: ModelConfig, expert: float) -> Shape:
        """Everything at the bits of the expert."""
        inner = 3 * config.hidden_size * config.moe_intermediate_size
        bits = expert / inner
        sparse = sum(config.is_sparse(layer) for layer in range(config.num_hidden_layers))
        rest = (active_parameters(config) - config.vocab_size * config.hidden_size) / config.num_hidden_layers
        shared = inner * config.n_shared_experts
        attention = max(rest - inner * config.num_experts_per_tok - shared, 0) * bits
        return cls(sparse, config.num_experts_per_tok, expert, shared * bits, attention)

    def meanwhile(self, missing: NDArray[np.int64]) -> NDArray[np.float64]:
        """The part of a layer's compute that needs none of the missing experts and comes after the router."""
        beside = self.shared + (self.chosen - missing) * self.expert
        return np.asarray(beside / (self.attention + self.shared + self.chosen * self.expert))


def disk_rates(files: list[Path], size: int) -> dict[int, float]:
    return {depth: read_rate(files, size, depth, seconds=1.0) for depth in DEPTHS}


def missing_by_layer(uses: NDArray[np.void], slots: int) -> tuple[NDArray[np.int64], float]:
    """Missing experts of every layer and step behind the first ones, and the hit rate there."""
    hit = simulated(uses, slots)
    late = (uses["needed"] == 1) & (uses["step"] > uses["step"].min() + WARM)
    steps = uses["step"][late] - uses["step"][late].min()
    counts = np.zeros((steps.max() + 1, uses["layer"].max() + 1), np.int64)
    np.add.at(counts, (steps, uses["layer"][late]), ~hit[late])
    layers = np.unique(uses["layer"])
    return counts[:, layers], float(hit[late].mean())


def predicted(missing: NDArray[np.int64], shape: Shape, compute: float, rates: dict[int, float]) -> float:
    """Seconds per token: the formula above."""
    pieces = np.maximum(missing * max(round(shape.expert / PIECE), 1), 1)
    rate = np.interp(pieces, list(rates), list(rates.values()))
    read = missing * shape.expert / rate
    beside = shape.meanwhile(missing) * compute / shape.layers
    return compute + float(np.maximum(read - beside, 0).sum(axis=1).mean())


def run(folder: Path, memory: str, tokens: int, seed: int, read_ahead: bool = True, trace: str = "-") -> dict[str, Any]:
    script = [sys.executable, str(HERE / "streaming_ours.py"), str(folder), memory]
    command = [*script, str(tokens), str(seed), str(int(read_ahead)), trace]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(answer))


def drawn(config: ModelConfig, skew: float, tokens: int) -> NDArray[np.void]:
    """A trace of that law without a model; groups of experts are left out."""
    rng = np.random.default_rng(0)
    e, k = config.n_routed_experts, config.num_experts_per_tok
    spread = config.initializer_range * config.hidden_size**0.5
    layers = [layer for layer in range(config.num_hidden_layers) if config.is_sparse(layer)]
    biases = {layer: rng.permutation(zipf_biases(config, skew)) for layer in layers}
    rows: list[NDArray[np.void]] = []
    for step in range(1, tokens + 1):
        for layer in layers:
            scores = 1 / (1 + np.exp(-rng.standard_normal(e) * spread)) + biases[layer]
            best = np.argsort(-scores)[: 2 * k]
            near = 1 - (scores[best[k - 1]] - scores[best]) / (scores[best[0]] - scores[best[k - 1]] + 1e-9)
            uses = np.zeros(2 * k, ROUTING)
            uses["step"], uses["layer"], uses["expert"], uses["needed"] = step, layer, best, np.arange(2 * k) < k
            uses["weight"] = np.where(uses["needed"] == 1, 1, np.clip(near, 0, 1))
            rows.append(uses[uses["weight"] > 0])
    return np.concatenate(rows)


def frequencies(uses: NDArray[np.void], experts: int) -> str:
    """How often the r-th favourite of a layer is chosen, averaged over the layers."""
    needed = uses[uses["needed"] == 1]
    steps = len(np.unique(needed["step"]))
    tables = [
        np.bincount(needed["expert"][needed["layer"] == layer], minlength=experts) for layer in set(needed["layer"])
    ]
    mean = np.mean([np.sort(table)[::-1] / steps for table in tables], axis=0)
    ranks = [rank for rank in (1, 2, 4, 8, 16, 32, 64, 128) if rank <= experts]
    return ", ".join(f"{rank}: {mean[rank - 1]:.3f}" for rank in ranks)


def report(name: str, answer: dict[str, Any], tokens: int, limit: float) -> dict[str, Any]:
    """One measured run, in words and for the record."""
    found = answer["statistics"]
    needed = found["hits"] + found["misses"] + found["late"]
    row = {
        "run": name,
        "tokens_per_second": round(tokens / answer["seconds"], 3),
        "hit_rate": round(found["hits"] / needed, 4),
        "late": round(found["late"] / needed, 4),
        "megabytes_per_token": round(found["bytes_read"] / tokens / 1e6, 1),
        "of_disk_limit": round(found["bytes_read"] / answer["seconds"] / limit, 3),
        "waited": round(found["waited_ns"] / 1e9 / answer["seconds"], 3),
        "ahead_used": round(found["ahead_used"] / max(found["ahead_read"], 1), 3),
        "guessed_right": round(found["guessed_right"] / max(found["guessed"], 1), 3),
        "resident_gib": round(answer["resident"] / GIB, 3),
        "opening_seconds": round(answer["opening"], 2),
        "slots": found["slots"],
    }
    print("  " + ", ".join(f"{key} {value}" for key, value in row.items()))
    return row


def k1(shape_compute: float, rates: dict[int, float], skew: float) -> list[dict[str, Any]]:
    """What the formula says of 519B; `shape_compute` are seconds per byte of active weights."""
    config = preset("k1")
    expert = 3 * config.hidden_size * config.moe_intermediate_size * INT4_BITS / 8
    shape = Shape.of(config, expert)
    active = (active_parameters(config) - config.vocab_size * config.hidden_size) * INT4_BITS / 8
    uses = drawn(config, skew, 3 * WARM)
    always = active - shape.layers * config.num_experts_per_tok * expert
    rows = []
    for memory in (24, 64, 128, 192):
        slots = int((memory * GIB - always - 3 * GIB) / expert)
        missing, hits = missing_by_layer(uses, max(slots, 16))
        seconds = predicted(missing, shape, active * shape_compute, rates)
        rows.append({"run": f"k1 int4, {memory} GiB", "slots": slots, "hit_rate": round(hits, 3)})
        rows[-1]["predicted_tokens_per_second"] = round(1 / seconds, 3)
        print("  " + ", ".join(f"{key} {value}" for key, value in rows[-1].items()))
    return rows


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--memory", default="6G")
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--skew", type=float, default=1.0, help="of the routing drawn for 519B")
    parser.add_argument("--save", action="store_true")
    return parser.parse_args()


def slots_in(folder: CheckpointFolder, memory: str) -> tuple[Footprint, int]:
    footprint = NativeBackend.footprint(folder, MOST_TOKENS, 1)
    cells = NativeBackend.cache_format(folder)
    cache = cache_of(folder.config, BLOCK, folder.config.max_position_embeddings, cells, footprint.scratch_per_position)
    plan = planned(bytes_of(memory), footprint, cache)
    if plan.expert_bytes is None:
        raise SystemExit(f"all weights fit into {memory}: nothing to measure")
    return footprint, plan.expert_bytes // footprint.slot


def first_text(options: argparse.Namespace, footprint: Footprint) -> tuple[NDArray[np.void], float]:
    """Its trace, and seconds per token without the disk."""
    left = available_bytes()
    fits = left is None or footprint.weights + footprint.scratch < SURELY * left
    with tempfile.TemporaryDirectory() as place:
        trace = f"{place}/trace.npy"
        answer = run(options.folder, "all" if fits else options.memory, options.tokens, 0, trace=trace)
        uses = np.load(trace)
    waited = answer["statistics"]["waited_ns"] / 1e9 if answer["statistics"] else 0.0
    compute = (answer["seconds"] - waited) / options.tokens
    where = "in memory" if fits else f"in {options.memory}, waiting not counted"
    print(f"without the disk ({where}) {1 / compute:.2f} tokens/s")
    return uses[uses["step"] > uses["step"].min()], compute  # the prompt is one step with all experts


def prediction(
    uses: NDArray[np.void], shape: Shape, compute: float, rates: dict[int, float], slots: int, footprint: Footprint
) -> dict[str, Any]:
    parts = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8)
    curve = {part: round(missing_by_layer(uses, int(part * footprint.most_slots))[1], 3) for part in parts}
    print(
        "hit rate by part of the experts in memory: " + ", ".join(f"{part:.0%}: {hit}" for part, hit in curve.items())
    )
    missing, hits = missing_by_layer(uses, slots)
    seconds = predicted(missing, shape, compute, rates)
    megabytes = missing.sum(axis=1).mean() * shape.expert / 1e6
    print(f"predicted for {slots:,} of {footprint.most_slots:,} experts: hit rate {hits:.3f}, "
          f"{megabytes:.0f} MB a token, {1 / seconds:.2f} tokens/s")  # fmt: skip
    return {
        "run": "prediction",
        "tokens_per_second": round(1 / seconds, 3),
        "hit_rate": round(hits, 4),
        "slots": slots,
        "compute_tokens_per_second": round(1 / compute, 3),
        "megabytes_per_token": round(megabytes, 1),
        "disk_gb_s": {depth: round(rate / 1e9, 3) for depth, rate in rates.items()},
        "curve": curve,
    }


def main() -> None:
    options = arguments()
    folder = CheckpointFolder(options.folder)
    config = folder.config
    footprint, slots = slots_in(folder, options.memory)
    rates = disk_rates(list(folder.files), footprint.slot)
    print("disk, GB/s by reads at a time: " + ", ".join(f"{n}: {rate / 1e9:.2f}" for n, rate in rates.items()))
    uses, compute = first_text(options, footprint)
    print(f"part of the tokens that choose the r-th favourite of a layer: {frequencies(uses, config.n_routed_experts)}")
    shape = Shape.of(config, footprint.slot)
    results = [prediction(uses, shape, compute, rates, slots, footprint)]
    for name, ahead, seed in (("measured", True, 1), ("measured, no read-ahead", False, 1), ("measured", True, 2)):
        answer = run(options.folder, options.memory, options.tokens, seed, ahead)
        results.append(report(name, answer, options.tokens, max(rates.values())))
    weights = active_parameters(config) - config.vocab_size * config.hidden_size
    active = weights * shape.expert / (3 * config.hidden_size * config.moe_intermediate_size)
    print(f"A.X K1, 519B, int4, by the same formula, routing drawn with a Zipf law of {options.skew:g}:")
    results += k1(compute / active, rates, options.skew)
    if options.save:
        about = {"folder": options.folder.name, "memory": options.memory, "tokens": options.tokens}
        machine.record("streaming", ({**about, **one} for one in results), sys.argv[1:])


if __name__ == "__main__":
    main()
