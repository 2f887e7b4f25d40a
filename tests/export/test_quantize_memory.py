"""A model larger than the memory it is quantised with: the kernel refuses the process more than LIMIT bytes."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from axk1 import arch
from axk1.checkpoint import CheckpointFolder, Piece, expected
from axk1.checkpoint.names import DOWN, GATE_UP, expert_pieces
from axk1.checkpoint.tensorfile import Entry
from axk1.export.quantize import REPORT
from axk1.export.shards import write_json, write_shards

LIMIT = 600 << 20  # address space, with the interpreter and NumPy in it
LARGE = dataclasses.replace(
    arch.preset("nano"),
    hidden_size=1024,
    moe_intermediate_size=512,
    n_routed_experts=128,
    n_group=8,
    topk_group=4,
    num_hidden_layers=5,
)
RUN = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[3]),) * 2)
from axk1.cli import main
code = main(["quantize", *sys.argv[1:3], "--format", "int4-g64", "--shard-bytes", "200000000"])
print("PEAK", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10)
sys.exit(code)
"""


def write_plain(folder: Path) -> int:
    """Random bfloat16 weights, one tensor at a time; the size of the tensors in bytes."""
    folder.mkdir()
    entries = []
    for name, shape in expected(LARGE).items():
        pieces = expert_pieces(name, shape) if name.endswith((GATE_UP, DOWN)) else (Piece(name, shape),)
        dtype = "F32" if name.endswith("bias") else "BF16"
        entries += [Entry(one.tensor, one.shape, dtype) for one in pieces]
    sizes = {entry.name: entry.nbytes for entry in entries}
    rng = np.random.default_rng(0)

    def data(name: str) -> memoryview:
        # bits of small normal numbers: a random mantissa and sign under one of two exponents
        bits = rng.integers(0, 0x100, sizes[name] // 2, dtype=np.uint16) | np.uint16(0x3C00)
        return (bits ^ (rng.integers(0, 2, len(bits), dtype=np.uint16) << np.uint16(15))).view(np.uint8).data

    write_shards(folder, entries, data, 200_000_000)
    write_json(folder / "config.json", {**LARGE.to_huggingface(), "dtype": "bfloat16"})
    return sum(sizes.values())


@pytest.mark.slow
def test_a_model_larger_than_its_memory(tmp_path: Path) -> None:
    size = write_plain(tmp_path / "in")
    assert size > 2 * LIMIT
    command = [sys.executable, "-c", RUN, str(tmp_path / "in"), str(tmp_path / "out"), str(LIMIT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    peak = int(done.stdout.rpartition("PEAK ")[2])
    print(f"{size / 2**20:.0f} MiB quantised, {peak / 2**20:.0f} MiB resident at most, limit {LIMIT / 2**20:.0f} MiB")
    assert peak < 200 << 20
    assert CheckpointFolder(tmp_path / "out").weights.keys() == CheckpointFolder(tmp_path / "in").weights.keys() | {
        "model.layers.0.post_mlp_layernorm.weight"
    }
    report = json.loads((tmp_path / "out" / REPORT).read_text(encoding="utf-8"))
    assert report["parts"]["experts"]["weights"] == 4 * 128 * 3 * 1024 * 512
