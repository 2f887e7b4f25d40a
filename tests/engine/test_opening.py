"""Opening maps the weights and reads none of them; once all have been used, memory is weights and cache, little more.

Opening takes less than a second, however many tensors there are. Each figure comes from a process of its own that
imports no torch. `pytest -s -m slow` shows them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from axk1.arch import preset
from axk1.checkpoint import CheckpointFolder
from axk1.cli import main
from axk1.engine.native_library import load
from axk1.export.quantize_formats import Formats, parse_format
from axk1.export.quantize_random import random_folder
from axk1.native import NativeUnavailableError

try:
    load()
except NativeUnavailableError as reason:
    pytest.skip(str(reason), allow_module_level=True)

CACHE = 8192  # tokens: a part of one context of the mini shape
READ = 2048  # tokens: enough for every expert of every layer
SCRIPT = """
import json, os, sys, time
from pathlib import Path
import numpy as np
import axk1.engine.native_backend, axk1.engine.reference
from axk1 import Engine
from axk1.engine.engine import Limits

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

before, start = resident(), time.perf_counter()
limits = Limits(max_batch_tokens=256, max_sequences=1, cache_tokens=int(sys.argv[2]))
engine = Engine.open(sys.argv[1], limits=limits)
seconds, opened = time.perf_counter() - start, resident()
context, used = engine.context, 0
ids = np.random.default_rng(0).integers(0, engine.config.vocab_size, int(sys.argv[3])).tolist()
if ids:
    engine.embed([ids])
    used = resident()
engine.close()
print(json.dumps({"seconds": seconds, "opened": opened - before, "used": used - before, "context": context}))
"""


def measure(folder: Path, tokens: int = 0) -> dict[str, Any]:
    command = [sys.executable, "-c", SCRIPT, str(folder), str(CACHE), str(tokens)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


CPU_SCRIPT = """
import sys, time
import axk1.engine.native_backend
from axk1 import Engine
start = time.process_time()
Engine.open(sys.argv[1], threads=1, memory=sys.argv[2]).close()
print(time.process_time() - start)
"""


def stored(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


@pytest.fixture(scope="module", params=["bf16", "int4-g64"])
def mini(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The mini shape in bfloat16 (the dense layer apart, so that there is something to quantise), or in int4."""
    formats = ["--format", "none", "--dense", "int8"] if request.param == "bf16" else ["--format", request.param]
    with tempfile.TemporaryDirectory() as root:  # not pytest's, which would keep three of each
        folder = Path(root) / request.param
        assert main(["quantize", "--random", "mini", str(folder), *formats]) == 0
        yield folder


@pytest.mark.slow
def test_opening_reads_no_weights(mini: Path) -> None:
    found = [measure(mini) for _ in range(3)]
    seconds, opened = min(one["seconds"] for one in found), max(one["opened"] for one in found)
    print(f"{mini.name}: {stored(mini) / 2**20:.0f} MB, opens in {seconds:.2f} s, takes {opened / 2**20:.1f} MB")
    assert opened < 0.1 * stored(mini)


@pytest.mark.slow
def test_memory_is_weights_and_cache(mini: Path) -> None:
    found = measure(mini, READ)
    expected = stored(mini) + CACHE * READ // found["context"]
    print(f"{mini.name}: {found['used'] / 2**20:.0f} MB in memory, weights and used cache {expected / 2**20:.0f} MB")
    assert found["used"] < 1.1 * expected
    assert found["used"] > 0.8 * expected, "the weights were not all read: that proves nothing"


@pytest.fixture(scope="module")
def many() -> Iterator[Path]:
    """As many tensors and files as the 30b-a3b shape has in int4, each as small as can be."""
    small: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 32, "moe_intermediate_size": 32, "vocab_size": 128}
    heads: dict[str, Any] = {"num_attention_heads": 1, "num_key_value_heads": 1, "kv_lora_rank": 32, "v_head_dim": 32}
    config = replace(preset("30b-a3b"), **small, **heads, qk_nope_head_dim=32, qk_rope_head_dim=32)
    form = parse_format("int4-g32")
    with tempfile.TemporaryDirectory() as root:
        random_folder(config, Path(root) / "many", Formats(form, form, form, form), shard_bytes=5 << 20)
        yield Path(root) / "many"


@pytest.mark.slow
def test_opening_many_tensors_takes_less_than_a_second(many: Path) -> None:
    """Of one CPU, since others may be busy. With `memory`, which has to be planned, it takes longer than without."""
    source = CheckpointFolder(many)
    assert len(source.tensors) > 50_000
    assert len(source.files) > 2
    command = [sys.executable, "-c", CPU_SCRIPT, str(many), "1G"]
    found = [float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(3)]
    print(f"{len(source.tensors)} tensors: {min(found):.2f} s of a CPU")
    assert min(found) < 1
