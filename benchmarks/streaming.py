"""Larger than memory: tokens/s predicted from the hit curve and the disk, then measured.

    python benchmarks/streaming.py FOLDER --memory 6G [--tokens 256] [--no-resident] [--save]

Make the folder with skewed routing, since evenly random routers are unlike any trained one:

    axk1 quantize --random 30b-a3b --format int4-g64 --skew 1.0 FOLDER

The routing is synthetic all the same: it has the favourites of trained routers, but no topics, so neighbouring tokens
share no more experts than distant ones, and real text should hit more often.

1. The disk: direct reads of an expert's size at random places, in pieces of 1 MiB, 1 to 8 at a time.
2. A first text, all weights in memory (or with --no-resident in the memory given): its routing, and seconds per token
   without the disk.
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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import machine
import numpy as np
from numpy.typing import NDArray

from axk1.arch import ModelConfig, active_parameters, preset
from axk1.checkpoint import CheckpointFolder
from axk1.engine.disk import read_rate
from axk1.engine.memory import bytes_of, cache_of, planned
from axk1.engine.native_backend import ROUTING, NativeBackend, simulated
from axk1.export.quantize_random import zipf_biases

HERE = Path(__file__).parent
DEPTHS = (1, 2, 4, 8)
PIECE = 1 << 20  # bytes of one read of the library
WARM = 64  # tokens of a trace that fill the slots and are not counted
INT4_BITS = 4.25
GIB = 1 << 30


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--memory", default="6G")
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--skew", type=float, default=1.0, help="of the folder, for the arithmetic of 519B")
    parser.add_argument("--no-resident", action="store_true", help="the first text in the memory given, too")
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    folder = CheckpointFolder(options.folder)
    footprint = NativeBackend.footprint(folder, 512, 1)
    cells = NativeBackend.cache_format(folder)
    plan = planned(
        bytes_of(options.memory), footprint, cache_of(folder.config, 16, 1, cells, footprint.scratch_per_position)
    )
    if plan.expert_bytes is None:
        raise SystemExit(f"all weights fit into {options.memory}: nothing to measure")
    slots = plan.expert_bytes // footprint.slot
    rates = disk_rates(list(folder.files), footprint.slot)
    print("disk, GB/s by reads at a time: " + ", ".join(f"{n}: {rate / 1e9:.2f}" for n, rate in rates.items()))
    limit = max(rates.values())
    with tempfile.TemporaryDirectory() as place:
        trace = f"{place}/trace.npy"
        memory = options.memory if options.no_resident else "all"
        first = run(options.folder, memory, options.tokens, 0, trace=trace)
        uses = np.load(trace)
    waited = first["statistics"]["waited_ns"] / 1e9 if first["statistics"] else 0.0
    compute = (first["seconds"] - waited) / options.tokens
    print(
        f"without the disk {1 / compute:.2f} tokens/s; chosen, by rank in its layer: "
        f"{frequencies(uses[uses['step'] > uses['step'].min()], folder.config.n_routed_experts)}"
    )
    shape = Shape.of(folder.config, footprint.slot)
    print(
        "hit rate by slots, of all experts: "
        + ", ".join(
            f"{part:.0%}: {missing_by_layer(uses, int(part * footprint.most_slots))[1]:.3f}"
            for part in (0.1, 0.2, 0.3, 0.4, 0.6, 0.8)
        )
    )
    missing, hits = missing_by_layer(uses, slots)
    seconds = predicted(missing, shape, compute, rates)
    print(
        f"{options.memory}: {slots:,} of {footprint.most_slots:,} experts, predicted hit rate {hits:.3f}, "
        f"{missing.sum(axis=1).mean() * shape.expert / 1e6:.0f} MB and {1 / seconds:.2f} tokens/s"
    )
    results: list[dict[str, Any]] = [{
        "run": "prediction", "tokens_per_second": round(1 / seconds, 3), "hit_rate": round(hits, 4), "slots": slots,
        "compute_tokens_per_second": round(1 / compute, 3),
        "disk_gb_s": {n: round(r / 1e9, 3) for n, r in rates.items()},
        **asdict(shape),
    }]  # fmt: skip
    for name, ahead, seed in (("measured", True, 1), ("measured, no read-ahead", False, 1), ("measured", True, 2)):
        results.append(
            report(name, run(options.folder, options.memory, options.tokens, seed, ahead), options.tokens, limit)
        )
    active = (active_parameters(folder.config) - folder.config.vocab_size * folder.config.hidden_size) * shape.expert
    per_byte = compute / (active / (3 * folder.config.hidden_size * folder.config.moe_intermediate_size))
    print("A.X K1, 519B, int4, by the same formula:")
    results += k1(per_byte, rates, options.skew)
    if options.save:
        about = {"folder": options.folder.name, "memory": options.memory, "tokens": options.tokens}
        machine.record("streaming", ({**about, **one} for one in results), sys.argv[1:])


if __name__ == "__main__":
    main()
