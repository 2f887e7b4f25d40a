"""The peer llama.cpp, tuned for every line. python engine_llamacpp.py MODEL.gguf THREADS; lines as engine_ours.py's.

Runs in the environment that peers/llamacpp.sh makes. With and without flash attention, with one cache for all streams
or one for each: before a line is timed for the first time, all are tried, and the fastest is kept.
"""

from __future__ import annotations

import itertools
import logging
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import llama_cpp as llama
import numpy as np
from contest import serve
from workload import STEPS, first_tokens, tokens

MOST_AT_ONCE = 512  # tokens of one pass (ubatch)
TRIALS = 3


class Settings(NamedTuple):
    flash_attention: bool
    one_cache: bool


class Context:
    """One line's work with one choice of settings."""

    def __init__(self, model: Any, line: str, settings: Settings, threads: int) -> None:
        self.kind, *numbers = line.split()
        # a prompt is one stream without steps
        self.streams, self.length = map(int, numbers if self.kind == "decode" else (1, *numbers))
        self.vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
        cells = self.length + (STEPS if self.kind == "decode" else 0)
        self.context = llama.llama_init_from_model(model, self._parameters(cells, settings, threads))
        if not self.context:
            raise SystemExit(f"llama.cpp opens no context for {line} with {settings}")
        self.memory = llama.llama_get_memory(self.context)
        self.batch = llama.llama_batch_init(max(self.length, self.streams), 0, 1)
        self.filled = False

    def _parameters(self, cells: int, settings: Settings, threads: int) -> Any:
        wanted = llama.llama_context_default_params()
        wanted.n_ctx = self.streams * -(-cells // 256) * 256  # llama.cpp rounds up to 256
        wanted.n_batch, wanted.n_ubatch, wanted.n_seq_max = max(self.length, MOST_AT_ONCE), MOST_AT_ONCE, self.streams
        wanted.n_threads = wanted.n_threads_batch = threads
        wanted.flash_attn_type = int(settings.flash_attention)
        wanted.kv_unified = settings.one_cache
        wanted.no_perf = True
        return wanted

    def prepare(self) -> Callable[[], object]:
        if self.kind == "prompt":
            llama.llama_memory_seq_rm(self.memory, -1, -1, -1)
            ids = tokens(self.length, self.vocab)
            return lambda: self.read(0, ids)
        if not self.filled:
            for stream in range(self.streams):
                self.read(stream, tokens(self.length, self.vocab, stream))
            self.filled = True
        for stream in range(self.streams):  # what the steps before have added
            llama.llama_memory_seq_rm(self.memory, stream, self.length, -1)
        return self.decode

    def read(self, stream: int, ids: list[int]) -> None:
        self.run([(token, position, stream) for position, token in enumerate(ids)], all_logits=False)

    def decode(self) -> None:
        ids = first_tokens(self.streams, self.vocab)
        for step in range(STEPS):
            items = [(token, self.length + step, stream) for stream, token in enumerate(ids)]
            ids = self.run(items, all_logits=True).argmax(axis=1).tolist()

    def run(self, items: list[tuple[int, int, int]], *, all_logits: bool) -> np.ndarray:
        """Logits after every (token, position, stream), or after the last."""
        batch = self.batch
        batch.n_tokens = len(items)
        for index, (token, position, stream) in enumerate(items):
            batch.token[index], batch.pos[index] = token, position
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, stream
            batch.logits[index] = all_logits or index == len(items) - 1
        if failed := llama.llama_decode(self.context, batch):
            raise SystemExit(f"llama_decode failed with {failed}")
        rows = len(items) if all_logits else 1
        return np.ctypeslib.as_array(llama.llama_get_logits(self.context), (rows, self.vocab))

    def close(self) -> None:
        llama.llama_batch_free(self.batch)
        llama.llama_free(self.context)


class LlamaCpp:
    def __init__(self, path: str, threads: int) -> None:
        logging.getLogger("llama-cpp-python").setLevel(logging.WARNING)  # the bindings' own: everything
        llama.llama_backend_init()
        wanted = llama.llama_model_default_params()
        wanted.use_mmap = True
        self.model = llama.llama_model_load_from_file(path.encode(), wanted)
        if not self.model:
            raise SystemExit(f"llama.cpp does not open {path}")
        self.threads = threads
        self.line, self.context = "", None

    def work(self, line: str) -> Callable[[], object]:
        if line != self.line:
            if self.context:
                self.context.close()
            self.line, self.context = line, self.tuned(line)
        return self.context.prepare()

    def tuned(self, line: str) -> Context:
        """The context of the settings that are fastest for this line here; written to stderr."""
        several = line.startswith("decode") and not line.startswith("decode 1 ")
        choices = [
            Settings(*choice) for choice in itertools.product((False, True), (False, True) if several else (True,))
        ]
        contexts = {choice: Context(self.model, line, choice, self.threads) for choice in choices}
        seconds = {choice: float("inf") for choice in choices}
        for _ in range(TRIALS):
            for choice, context in contexts.items():
                seconds[choice] = min(seconds[choice], timed(context.prepare()))
        best = min(choices, key=seconds.__getitem__)
        for choice in choices:
            print(f"{line}: {choice} {seconds[choice]:.3f} s{' <- taken' if choice == best else ''}", file=sys.stderr)
            if choice != best:
                contexts[choice].close()
        return contexts[best]


def timed(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


if __name__ == "__main__":
    serve(LlamaCpp(sys.argv[1], int(sys.argv[2])).work)
