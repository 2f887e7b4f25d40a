"""Opening maps the weights and reads none of them; once all have been used, memory is weights and cache, little more.

Each figure comes from a process of its own that imports no torch. `pytest -s -m slow` shows them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from axk1.cli import main
from axk1.engine.native_library import load
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
