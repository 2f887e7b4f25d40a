"""The engine: a checkpoint folder that answers, to many callers at once.

Shape letters: T tokens of a text, V vocabulary, D hidden size, P prompts.
"""

from __future__ import annotations

import asyncio
import queue
import secrets
import time
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from axk1 import registry
from axk1.chat.sampling import GREEDY, SamplingParams
from axk1.checkpoint import CheckpointFolder
from axk1.engine import memory as sizes
from axk1.engine import native_library
from axk1.engine.available import available_bytes
from axk1.engine.backend import Backend, CacheChoice, CacheFormat
from axk1.engine.cache import BlockPool
from axk1.engine.job import Completion, Item, Reading, Wants
from axk1.engine.loop import Loop, QueueFullError
from axk1.engine.output import RequestOutput
from axk1.engine.prompt import Prompt, Prompts, Reader, listed, paired
from axk1.engine.scheduler import Scheduler
from axk1.engine.speculation import Acceptance, Drafter, Speculation, Speculator
from axk1.engine.speculation_choice import Way, chosen, drafter, with_draft_layer
from axk1.engine.stop import TextStream
from axk1.engine.stream import AsyncStream, Mailbox, Make, Stream
from axk1.engine.streaming import ExpertStatistics, Footprint
from axk1.native import NativeUnavailableError

__all__ = ["Engine", "Limits"]

Floats = NDArray[np.float32]
Pooling = Literal["mean", "last"]
SHARE_OF_AVAILABLE = 0.8  # of the memory that the system has left, when the weights do not fit into it
_PATIENCE = 0.01  # seconds until a full queue is asked again


@dataclass(frozen=True)
class Limits:
    """How much is done at once: tokens of a cache block and of a step, sequences that run and that may wait, and
    tokens that speculation may draft for a sequence. `cache_tokens` bounds the cache; None: by the memory alone."""

    block_size: int = 16
    max_batch_tokens: int = 1024
    max_sequences: int = 64
    max_waiting: int = 1024
    max_draft_tokens: int = 7
    cache_tokens: int | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")

    def most_cached(self, context: int) -> int:
        """Tokens that the cache can hold at most, in whole blocks: of every sequence that runs a whole context."""
        whole = -(-context // self.block_size) * self.block_size * self.max_sequences
        if self.cache_tokens is None:
            return whole
        return min(whole, -(-self.cache_tokens // self.block_size) * self.block_size)


class Engine:
    """Made by `Engine.open`. Every method may be called from any thread or event loop, many at a time; what they ask
    for is batched. Close it, or use it in a `with` statement."""

    def __init__(self, backend: Backend, reader: Reader, limits: Limits, drafts: Drafter | None = None) -> None:
        self.config = backend.config
        self.tokenizer = reader.tokenizer
        self._backend = backend
        self._reader = reader
        self._limits = limits
        pool = BlockPool(backend.blocks)
        scheduler = Scheduler(pool, backend.block_size, limits.max_batch_tokens, limits.max_sequences)
        self._speculator = None if drafts is None else Speculator(drafts, limits.max_draft_tokens)
        self._loop = Loop(backend, scheduler, limits.max_waiting, self._speculator)
        self._mailboxes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Mailbox] = weakref.WeakKeyDictionary()
        self._finalizer = weakref.finalize(self, self._loop.close)

    @classmethod
    def open(
        cls,
        folder: Path | str,
        memory: str | int | None = None,
        threads: int | None = None,
        backend: str = "auto",
        limits: Limits | None = None,
        speculation: Speculation = "auto",
        cache: CacheChoice = "auto",
    ) -> Self:
        """The model of a Hugging Face folder; one without a tokenizer works with token ids.

        `memory` is what weights, latent cache and scratch may take together (6G, 512M, bytes); experts that do not fit
        stay on disk (`statistics` says what that costs). None: the weights as the system maps them, unless it has less
        memory left than they need: then four fifths of that. `threads` are the back end's, `backend` the name of a
        plug-in of the kind `engine_backend` ("auto": native, or reference where there is no C++ compiler, which counts
        the cache alone as `memory`). `speculation` drafts tokens by the checkpoint's MTP layer or by looking up
        repetitions ("auto": the layer where there is one, and nothing while experts stay on disk); it changes the
        speed, never the output. `cache` "int8" holds 1.7 times the tokens of bfloat16 in the same memory, at a small
        error. Raises CheckpointError for a folder that cannot be read, ValueError for settings that
        make no sense and for too little memory.
        """
        limits = limits or Limits()
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        source = CheckpointFolder(Path(folder))
        plugin = _plugin(backend)
        way = chosen(speculation, plugin, source)
        cells = _cells(cache, plugin, source)
        plan = _plan(source, plugin, memory, limits, cells, drafting=way == "mtp")
        if plan.expert_bytes is not None:
            way = _beside_experts_on_disk(speculation)
        reader = Reader.of(source, tokens_in_cache=plan.blocks * limits.block_size)
        extra: dict[str, Any] = {"drafting": True} if way == "mtp" else {}
        if cache != "auto":
            extra["cache"] = cache
        if plan.expert_bytes is not None:
            extra["expert_bytes"] = plan.expert_bytes
        made = plugin(source, plan.blocks, limits.block_size, threads, **extra)
        return cls(made, reader, limits, drafter(way, made))

    @property
    def context(self) -> int:
        """The most tokens that a prompt and its completion may have together."""
        return self._reader.context

    @property
    def acceptance(self) -> Acceptance:
        """Tokens that speculation has drafted so far, for all requests, and those that came true."""
        return Acceptance() if self._speculator is None else self._speculator.total

    @property
    def statistics(self) -> ExpertStatistics | None:
        """What experts on disk cost since the engine was opened; None when all weights are in memory."""
        return self._backend.statistics

    def check(self, params: SamplingParams) -> None:
        """ValueError for parameters that this model cannot follow."""
        self._reader.check(params)
        if params.shaped:
            self._reader.structure(params)

    def generate(
        self, prompts: Prompts, params: SamplingParams | Sequence[SamplingParams] | None = None
    ) -> list[RequestOutput]:
        """Completions of texts or lists of ids, in order. Waits where the queue is full.

        ValueError for a prompt that is empty or too long, an id outside the vocabulary, a text without a tokenizer.
        """
        running: deque[Stream] = deque()
        outputs: list[RequestOutput] = []
        try:
            for make in self._makes(prompts, params):
                while (stream := self._room_for(make)) is None:
                    if running:
                        outputs.append(running.popleft().output())
                    else:
                        time.sleep(_PATIENCE)
                running.append(stream)
            return outputs + [stream.output() for stream in running]
        finally:
            for stream in running:
                stream.close()

    async def agenerate(
        self, prompts: Prompts, params: SamplingParams | Sequence[SamplingParams] | None = None
    ) -> list[RequestOutput]:
        """`generate` for event loops; cancelling the task cancels its requests."""
        running: list[AsyncStream] = []
        try:
            for make in self._makes(prompts, params):
                while True:
                    try:
                        running.append(AsyncStream(make, self._loop, self, self._mailbox()))
                        break
                    except QueueFullError:
                        await asyncio.sleep(_PATIENCE)
            return [await stream.output() for stream in running]
        finally:
            for stream in running:
                stream.close()

    def stream(self, prompt: Prompt, params: SamplingParams | None = None) -> Stream:
        """The completion of one prompt as it is made. Closing or dropping the stream cancels the request.

        ValueError as `generate`; QueueFullError when too many requests wait.
        """
        return Stream(self._make(prompt, params or SamplingParams()), self._loop, self)

    def astream(self, prompt: Prompt, params: SamplingParams | None = None) -> AsyncStream:
        """`stream` for `async for`; call it inside the event loop that reads it."""
        return AsyncStream(self._make(prompt, params or SamplingParams()), self._loop, self, self._mailbox())

    def complete(
        self, prompts: Sequence[list[int]], max_new_tokens: int, sampling: SamplingParams = GREEDY
    ) -> list[list[int]]:
        """The engine as a `chat.completer.TokenCompleter`."""
        params = replace(sampling, max_tokens=max_new_tokens)
        return [list(output.token_ids) for output in self.generate(prompts, params)]

    def logits(self, prompt: Prompt) -> Floats:
        """The scores of the next token after each token of a text: float32 [T, V]."""
        return self._read(prompt, "logits")

    def hidden(self, prompt: Prompt) -> Floats:
        """The states that the head sees at each token of a text: float32 [T, D]."""
        return self._read(prompt, "hidden")

    def embed(self, prompts: Prompts, pooling: Pooling = "mean") -> Floats:
        """One vector of length 1 for each text, from its hidden states: float32 [P, D]. ValueError as `generate`."""
        if pooling not in get_args(Pooling):
            raise ValueError(f"pooling must be {' or '.join(get_args(Pooling))}, not {pooling!r}")
        return np.stack([_vector(self.hidden(prompt), pooling) for prompt in listed(prompts)])

    def close(self) -> None:
        """Cancels what runs and gives memory back. Again is harmless."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _mailbox(self) -> Mailbox:
        """The one of the event loop that runs here; those of loops that have ended go with them."""
        events = asyncio.get_running_loop()
        found = self._mailboxes.get(events)
        if found is None:
            found = self._mailboxes[events] = Mailbox(weakref.proxy(events), self._loop)
        return found

    def _makes(self, prompts: Prompts, params: SamplingParams | Sequence[SamplingParams] | None) -> list[Make]:
        """All are checked before the first one runs."""
        return [self._make(prompt, one) for prompt, one in paired(listed(prompts), params or SamplingParams())]

    def _make(self, prompt: Prompt, params: SamplingParams) -> Make:
        reader = self._reader
        ids = reader.prompt_ids(prompt)
        reader.check(params)
        structure = reader.structure(params) if params.shaped else None
        seed = secrets.randbits(63) if params.seed is None else params.seed
        text = TextStream(reader.tokenizer, params.stop, reader.end_of_thinking if params.thinking else None)

        def make(deliver: Callable[[Item], None]) -> Completion:
            return Completion(ids, params, seed, text, structure, reader.eos, reader.context, deliver)

        return make

    def _room_for(self, make: Make) -> Stream | None:
        try:
            return Stream(make, self._loop, self)
        except QueueFullError:
            return None

    def _read(self, prompt: Prompt, wants: Wants) -> Floats:
        items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        reading = Reading(self._reader.text_ids(prompt), wants, items.put)
        self._loop.submit(reading)
        try:
            item = items.get()
        except BaseException:  # Ctrl-C
            self._loop.cancel(reading)
            raise
        if isinstance(item, Exception):
            raise item
        assert isinstance(item, np.ndarray)
        return item


def _plugin(asked: str) -> Any:
    """The back end's class; "auto" falls back to the slow one where the native library cannot be built, and says so."""
    if asked == "auto":
        try:
            native_library.load()
        except NativeUnavailableError as error:
            warnings.warn(f"{error}; the NumPy back end answers instead, very slowly", stacklevel=3)
            asked = "reference"
    return registry.load("engine_backend", "native" if asked == "auto" else asked)


def _beside_experts_on_disk(speculation: Speculation) -> Way:
    """Every token drafted reads experts of its own: that is only done when asked for."""
    if speculation == "mtp":
        raise ValueError(
            "the MTP layer does not draft while experts stay on disk: give more memory, or speculation off"
        )
    return "off" if speculation == "auto" else speculation


def _cells(choice: CacheChoice, plugin: Any, source: CheckpointFolder) -> CacheFormat:
    """What the cache will hold; ValueError for what there is not, or not by this back end."""
    if choice not in get_args(CacheChoice):
        raise ValueError(f"cache must be {' or '.join(get_args(CacheChoice))}, not {choice!r}")
    cells: CacheFormat = plugin.cache_format(source, choice)
    return cells


def _plan(
    source: CheckpointFolder,
    plugin: Any,
    memory: str | int | None,
    limits: Limits,
    cells: CacheFormat,
    *,
    drafting: bool,
) -> sizes.Plan:
    """The blocks of the cache, and the bytes of experts where they stay on disk."""
    left = available_bytes() if memory is None else None
    fits = left is None or sum(file.stat().st_size for file in source.files) <= left
    footprint: Footprint | None = None
    if memory is not None or not fits:
        footprint = plugin.footprint(source, limits.max_batch_tokens, limits.max_sequences, drafting=drafting)
    config = with_draft_layer(source.config) if drafting else source.config
    tokens = limits.most_cached(config.max_position_embeddings)
    if footprint is None or (memory is None and footprint.obstacle):
        return sizes.Plan(sizes.blocks(config, memory, limits.block_size, tokens, cells))
    cache = sizes.cache_of(config, limits.block_size, tokens, cells, footprint.scratch_per_position)
    given = int((left or 0) * SHARE_OF_AVAILABLE) if memory is None else sizes.bytes_of(memory)
    return sizes.planned(given, footprint, cache)


def _vector(state_TD: Floats, pooling: Pooling) -> Floats:
    pooled_D: Floats = state_TD.mean(axis=0) if pooling == "mean" else state_TD[-1]
    vector_D: Floats = pooled_D / np.float32(max(float(np.linalg.norm(pooled_D)), 1e-12))
    return vector_D
