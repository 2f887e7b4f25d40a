"""Our engine's back end on a folder. python engine_ours.py FOLDER THREADS.

It reads lines: `prompt TOKENS`, `decode STREAMS CONTEXT`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from contest import serve
from workload import LONGEST, MOST_STREAMS, STEPS, first_tokens, tokens

from axk1.checkpoint import CheckpointFolder
from axk1.engine.backend import Batch
from axk1.engine.native_backend import NativeBackend

BLOCK, MOST_TOKENS = 32, 2048  # of a cache block, and of one step while a prompt is read, as the peers read it
BLOCKS = LONGEST // BLOCK + MOST_STREAMS  # every stream rounds up


class Ours:
    def __init__(self, folder: str, threads: int) -> None:
        checkpoint = CheckpointFolder(Path(folder))
        self.vocab = checkpoint.config.vocab_size
        self.backend = NativeBackend(checkpoint, BLOCKS, BLOCK, threads)
        self.filled = (0, 0)

    def work(self, line: str) -> Callable[[], object]:
        kind, *numbers = line.split()
        if kind == "prompt":
            (length,) = map(int, numbers)
            ids = tokens(length, self.vocab)
            return lambda: self.read([ids])
        streams, context = map(int, numbers)
        if self.filled != (streams, context):
            self.read([tokens(context, self.vocab, seed) for seed in range(streams)])
            self.filled = (streams, context)
        return lambda: self.decode(streams, context)

    def tables(self, streams: int, length: int) -> np.ndarray:
        blocks = -(-length // BLOCK)
        return np.arange(streams * blocks, dtype=np.int32).reshape(streams, blocks)

    def read(self, rows: list[list[int]]) -> None:
        """Every prompt, a piece at a time; the cache has room for the steps that follow."""
        tables = self.tables(len(rows), len(rows[0]) + STEPS)
        for row, table in zip(rows, tables, strict=True):
            for first in range(0, len(row), MOST_TOKENS):
                piece = np.array(row[first : first + MOST_TOKENS], np.int32)
                ends = np.array([0, len(piece)], np.int32)
                self.backend.logits(
                    Batch(piece, ends, np.array([first], np.int32), table[None], np.array([len(piece) - 1], np.int32))
                )
        self.filled = (0, 0)

    def decode(self, streams: int, context: int) -> None:
        ids = np.array(first_tokens(streams, self.vocab), np.int32)
        tables, starts = self.tables(streams, context + STEPS), np.arange(streams + 1, dtype=np.int32)
        for step in range(STEPS):
            cached = np.full(streams, context + step, np.int32)
            logits = self.backend.logits(Batch(ids, starts, cached, tables, starts[:-1]))
            ids = logits.argmax(axis=1).astype(np.int32)


if __name__ == "__main__":
    serve(Ours(sys.argv[1], int(sys.argv[2])).work)
