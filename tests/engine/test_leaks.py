"""Nothing is left of a thousand requests, nor of a closed back end."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from axk1 import Engine, SamplingParams
from axk1.engine.engine import Limits
from axk1.native import NativeUnavailableError, compiler

REQUESTS = 1000
MOST_GROWTH = 1 << 20  # bytes over 900 requests; a block of the cache lost by each would be 2 MB
PROMPT = [5, 9, 200, 31, 77, 12, 8, 150]
SHORT = SamplingParams(temperature=0, max_tokens=6, ignore_eos=True)
SCRIPT = """
import dataclasses, sys
from pathlib import Path
from axk1.arch import preset
from axk1.checkpoint import CheckpointFolder
from axk1.engine.native_backend import NativeBackend
from axk1.export.quantize_formats import Formats, parse_format
from axk1.export.quantize_random import random_folder
from batches import batch
small = {"vocab_size": 64, "num_hidden_layers": 2, "n_routed_experts": 4, "n_group": 2, "num_experts_per_tok": 2}
folder, scheme = Path(sys.argv[1]), parse_format("int4-g32")
random_folder(dataclasses.replace(preset("nano"), **small), folder, Formats(scheme, scheme, scheme, scheme))
backend = NativeBackend(CheckpointFolder(folder), 8, 16, 2)
assert backend.logits(batch(([1, 2, 3], 0, [0]))).shape == (3, 64)
if sys.argv[2] == "close":
    backend.close()
backend._model = None
"""


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def cancelled(engine: Engine, prompt: list[int]) -> None:
    stream = engine.stream(prompt, replace(SHORT, max_tokens=None))
    next(stream)
    stream.close()


def refused(engine: Engine, prompt: list[int]) -> None:
    with contextlib.suppress(ValueError):
        engine.generate([prompt * 1000], SHORT)
    with contextlib.suppress(ValueError):
        engine.generate([[*prompt, 10**6]], SHORT)


KINDS: tuple[Callable[[Engine, list[int]], object], ...] = (
    lambda engine, prompt: engine.generate([prompt], SHORT),
    lambda engine, prompt: engine.generate([prompt], replace(SHORT, temperature=1.0, logprobs=5, prompt_logprobs=2)),
    cancelled,
    lambda engine, prompt: engine.generate([prompt], replace(SHORT, regex="[0-9]{3,8}")),
    lambda engine, prompt: engine.generate([prompt], replace(SHORT, json_schema={"type": "integer"})),
    lambda engine, prompt: engine.embed([prompt, prompt[::-1]]),
    lambda engine, prompt: engine.logits(prompt),
    refused,
    lambda engine, prompt: engine.generate([prompt] * 3, replace(SHORT, stop=["거실", "\n"])),
)


def at_rest(engine: Engine) -> bool:
    """Whether all blocks of the cache come to be free."""
    pool, end = engine._loop._scheduler.pool, time.monotonic() + 20
    while engine._loop._jobs or engine._loop.waiting:
        assert time.monotonic() < end, "still busy"
        time.sleep(0.01)
    return pool.free == len(pool._references)


@pytest.mark.slow
def test_a_thousand_requests_leave_nothing(talking: Any, open_engine: Any, backend_name: str) -> None:
    """Whole, sampled, cancelled half-way, structured, read, refused; prompts that differ, so that the cache is full."""
    engine = open_engine(talking.path, backend=backend_name, limits=Limits(block_size=8, cache_tokens=4000))
    sizes = []
    for number in range(REQUESTS):
        KINDS[number % len(KINDS)](engine, [*PROMPT, number % 300, number // 300])
        if number % 100 == 99:
            assert at_rest(engine)
            sizes.append(resident())
    print(f"{backend_name}: MB after each 100: {[round(size / 2**20, 2) for size in sizes]}")
    assert sizes[-1] - sizes[0] < MOST_GROWTH
    assert not engine._loop._jobs


@pytest.mark.slow
@pytest.mark.parametrize("end", ["close", "leave"])
def test_the_sanitizer_finds_no_leak_of_ours(end: str, tmp_path: Path) -> None:
    """Python leaks a little at its own end, so only allocations of our library count; an open model would be seen."""
    try:
        name = compiler("CXX", "g++", "c++")
    except NativeUnavailableError as reason:
        pytest.skip(str(reason))
    found = [
        subprocess.run([name, f"-print-file-name={one}"], capture_output=True, text=True).stdout.strip()
        for one in ("libasan.so", "libstdc++.so")
    ]
    if not all(Path(one).is_absolute() for one in found):
        pytest.skip(f"{name} has no sanitizer")
    environment = {
        **os.environ, "LD_PRELOAD": " ".join(found), "AXK1_CXXFLAGS": "-fsanitize=address -g -O1",
        "ASAN_OPTIONS": "detect_leaks=1:exitcode=0", "PYTHONMALLOC": "malloc",  # which the checker sees
        "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parents[1])]),
    }  # fmt: skip
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "model"), end]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert ("axk1_open" in done.stderr) == (end == "leave"), done.stderr
    if end == "close":
        assert "axk1" not in done.stderr
