"""One run of our back end with some memory: a prompt, then single tokens, drawn at temperature 1.

    python streaming_ours.py FOLDER MEMORY TOKENS SEED READ_AHEAD TRACE

MEMORY "all" keeps all weights in memory and reads the same tokens twice, so that the second time nothing comes from the
disk. TRACE is the .npy file that gets what the routers asked for; "-" none. Prints one line of JSON.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import numpy as np

from axk1.checkpoint import CheckpointFolder
from axk1.engine.backend import Batch
from axk1.engine.memory import bytes_of, cache_of, planned
from axk1.engine.native_backend import NativeBackend
from axk1.engine.native_library import load

BLOCK, PROMPT, MOST_TOKENS = 16, 64, 512
WARM = 64  # tokens that fill the slots and are not counted


def resident(name: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(rf"{name}:\s+(\d+)", status)
    return int(found[1]) << 10 if found else 0


def opened(folder: CheckpointFolder, memory: str, tokens: int, read_ahead: bool) -> NativeBackend:
    if memory == "all":
        return NativeBackend(folder, -(-(PROMPT + WARM + tokens) // BLOCK) + 1, BLOCK)
    footprint = NativeBackend.footprint(folder, MOST_TOKENS, 1)
    cells = NativeBackend.cache_format(folder)
    plan = planned(
        bytes_of(memory),
        footprint,
        cache_of(folder.config, BLOCK, folder.config.max_position_embeddings, cells, footprint.scratch_per_position),
    )
    return NativeBackend(folder, plan.blocks, BLOCK, expert_bytes=plan.expert_bytes, read_ahead=read_ahead)


class Text:
    """One sequence of drawn tokens."""

    def __init__(self, backend: NativeBackend, seed: int) -> None:
        self.backend, self.rng = backend, np.random.default_rng(seed)
        self.vocab = backend.config.vocab_size
        self.table = np.arange(backend.blocks, dtype=np.int32)[None]
        self.cached = 0

    def read(self, ids: list[int]) -> int:
        """The token after them."""
        ends = np.array([0, len(ids)], np.int32)
        wanted = np.array([len(ids) - 1], np.int32)
        cached = np.array([self.cached], np.int32)
        row = self.backend.logits(Batch(np.array(ids, np.int32), ends, cached, self.table, wanted))[0].astype(float)
        self.cached += len(ids)
        chances = np.exp(row - row.max())
        return int(self.rng.choice(self.vocab, p=chances / chances.sum()))

    def begin(self) -> int:
        """A prompt and the first tokens behind it; the token after them."""
        return self.go_on(self.read(self.rng.integers(0, self.vocab, PROMPT).tolist()), WARM)

    def go_on(self, token: int, count: int) -> int:
        """So many single tokens; the one after them."""
        for _ in range(count):
            token = self.read([token])
        return token


def main() -> None:
    path, memory, tokens, seed, read_ahead, trace = sys.argv[1:]
    load()
    before = resident("VmRSS")
    began = time.perf_counter()
    backend = opened(CheckpointFolder(Path(path)), memory, int(tokens), read_ahead == "1")
    opening = time.perf_counter() - began
    if memory == "all":
        warm = Text(backend, int(seed))
        warm.go_on(warm.begin(), int(tokens))
    if trace != "-":
        backend.trace(on=True)
    text = Text(backend, int(seed))
    token = text.begin()
    warmed, started = backend.statistics, time.perf_counter()
    text.go_on(token, int(tokens))
    seconds, found = time.perf_counter() - started, backend.statistics
    if trace != "-":
        np.save(trace, backend.traced())
    statistics = None if found is None or warmed is None else vars(found.since(warmed))
    grown = max(resident("VmHWM"), resident("VmRSS")) - before
    print(json.dumps({"opening": opening, "seconds": seconds, "resident": grown, "statistics": statistics}))


if __name__ == "__main__":
    main()
