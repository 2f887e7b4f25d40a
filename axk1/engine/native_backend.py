"""NativeBackend: the model by the C++ kernels, on weights that stay where the files are mapped.

Shape letters: W wanted tokens, V vocabulary, D hidden size.
"""

from __future__ import annotations

import ctypes
from ctypes import c_int32, c_void_p

import numpy as np
from numpy.typing import NDArray

from axk1.checkpoint import CheckpointError, CheckpointFolder
from axk1.checkpoint.weights import kind_of
from axk1.engine.backend import Batch, CacheChoice, CacheFormat
from axk1.engine.native_footprint import native_footprint
from axk1.engine.native_library import BatchSpec, Routing, StoreStatistics, load
from axk1.engine.native_weights import NativeWeights
from axk1.engine.reference.weights import has_mtp, without_mtp
from axk1.engine.streaming import ExpertStatistics, Footprint

__all__ = ["ROUTING", "NativeBackend", "simulated"]

Floats = NDArray[np.float32]
_NO_SCRATCH = "no memory for the scratch of this batch: lower the tokens of a step"
READERS = 8  # threads that read experts: as many reads are under way at a time
UNREADABLE = -2
ROUTING = np.dtype(Routing)
"""What a router asked for: step, layer, expert, needed (0: nearly), weight."""
ROUTER = ".mlp.gate.weight"  # always computed in float32, whatever the rest


class NativeBackend:
    """Implements `Backend` and `Drafting`. `threads` None takes every CPU that the process may use; `read_ahead` False
    reads experts only when a layer asks for them.

    Raises:
        NativeUnavailableError: the library cannot be built here.
        CheckpointError: tensors that it does not read, or no memory for the cache.
    """

    def __init__(
        self,
        folder: CheckpointFolder,
        blocks: int,
        block_size: int,
        threads: int | None = None,
        *,
        drafting: bool = False,
        expert_bytes: int | None = None,
        read_ahead: bool = True,
        cache: CacheChoice = "auto",
    ) -> None:
        self._library = load()
        self.config, self.blocks, self.block_size = without_mtp(folder.config), blocks, block_size
        self._path = folder.path
        self._weights = NativeWeights(folder, drafting=drafting)
        self._streams = expert_bytes is not None
        store = None if expert_bytes is None else self._weights.store(expert_bytes, READERS, read_ahead=read_ahead)
        spec = self._weights.spec(blocks, block_size, threads or 0, store, cache=cache)
        reason = ctypes.create_string_buffer(256)
        self._model: int | None = self._library.axk1_open(ctypes.byref(spec), reason)
        if not self._model:
            raise CheckpointError(f"{folder.path}: {reason.value.decode()}")

    @staticmethod
    def cache_format(folder: CheckpointFolder, choice: CacheChoice = "auto") -> CacheFormat:
        """bfloat16, unless a matrix is float32 or float16: then activations and cache are float32. int8 if chosen."""
        if choice == "int8":
            return "int8"
        matrices = (one for one in folder.weights.values() if len(one.shape) > 1 and not one.name.endswith(ROUTER))
        return "fp32" if any(kind_of(one) in ("f32", "f16") for one in matrices) else "bf16"

    @staticmethod
    def can_draft(folder: CheckpointFolder) -> bool:
        """Whether the folder has a multi-token-prediction layer."""
        return has_mtp(folder)

    @staticmethod
    def footprint(
        folder: CheckpointFolder, max_batch_tokens: int, max_sequences: int, *, drafting: bool = False
    ) -> Footprint:
        """What it takes of memory besides the cache."""
        return native_footprint(folder, max_batch_tokens, max_sequences, drafting=drafting)

    @property
    def statistics(self) -> ExpertStatistics | None:
        """What experts on disk cost so far; None when all weights are mapped."""
        assert self._model
        if not self._streams:
            return None
        found = StoreStatistics()
        self._library.axk1_store_statistics(self._model, ctypes.byref(found))
        return ExpertStatistics(**{name: getattr(found, name) for name, *_ in found._fields_})

    def trace(self, on: bool) -> None:
        """Records what the routers ask for, or no longer."""
        assert self._model
        self._library.axk1_trace(self._model, c_int32(on))

    def traced(self) -> NDArray[np.void]:
        """What was recorded since the last call, as records of `ROUTING`."""
        assert self._model
        uses = np.empty(self._library.axk1_traced(self._model, None, 0), ROUTING)
        self._library.axk1_traced(self._model, uses.ctypes.data, len(uses))
        return uses

    def logits(self, batch: Batch) -> Floats:
        """float32 [W, V]"""
        return self._forward(batch, self.config.vocab_size, logits=True)

    def hidden(self, batch: Batch) -> Floats:
        """float32 [W, D]"""
        return self._forward(batch, self.config.hidden_size, logits=False)

    def draft(self, batch: Batch, rows_N: NDArray[np.int32]) -> NDArray[np.int32]:
        """int32 [W]"""
        assert self._model, "the back end is closed"
        out = np.empty(len(batch.wanted_W), np.int32)
        batch, rows_N = _packed(batch), np.ascontiguousarray(rows_N, np.int32)
        places = (c_void_p(rows_N.ctypes.data), c_void_p(out.ctypes.data))
        if self._library.axk1_draft(self._model, ctypes.byref(_spec(batch)), *places):
            raise MemoryError(_NO_SCRATCH)
        return out

    @property
    def bytes(self) -> int:
        """Memory that the library holds besides the mapped weights: cache and scratch."""
        assert self._model
        return int(self._library.axk1_bytes(self._model))

    def close(self) -> None:
        """Gives memory and threads back; a second call does nothing."""
        if self._model:
            self._library.axk1_close(self._model)
            self._model = None

    def _forward(self, batch: Batch, width: int, *, logits: bool) -> Floats:
        assert self._model, "the back end is closed"
        out = np.empty((len(batch.wanted_W), width), np.float32)
        batch = _packed(batch)
        spec = ctypes.byref(_spec(batch))
        failed = self._library.axk1_forward(self._model, spec, c_int32(logits), c_void_p(out.ctypes.data))
        if failed == UNREADABLE:
            raise OSError(self._library.axk1_error(self._model).decode(errors="replace"))
        if failed:
            raise MemoryError(_NO_SCRATCH)
        if not np.isfinite(out).all():
            raise CheckpointError(f"{self._path}: the output is NaN or infinite: so are weights, or they lead to it")
        return out


def _packed(batch: Batch) -> Batch:
    """The same as arrays that the library can read."""
    return Batch(**{name: np.ascontiguousarray(array, np.int32) for name, array in vars(batch).items()})


def _spec(batch: Batch) -> BatchSpec:
    """Addresses in a packed batch, which must live as long."""
    arrays = (batch.tokens_N, batch.starts_S1, batch.cached_S, batch.blocks_SM)
    wanted_W = batch.wanted_W
    addresses = (one.ctypes.data for one in arrays)
    return BatchSpec(*addresses, *batch.blocks_SM.shape, wanted_W.ctypes.data, len(wanted_W), 0)


def simulated(uses: NDArray[np.void], slots: int, half_life: float = -1.0, near: float = 0.0) -> NDArray[np.bool_]:
    """Which of a trace's needed uses would find their expert in one of `slots` slots, by the store's rule of eviction.

    `half_life` (tokens) and `near` (the weight of near misses) are the store's own unless `half_life` is 0 or more;
    0 evicts what was least recently used. One step and layer after the other, as `NativeBackend.traced` gives them.
    """
    uses = np.ascontiguousarray(uses, ROUTING)
    hit = np.zeros(len(uses), np.uint8)
    load().axk1_simulate(uses.ctypes.data, len(uses), slots, half_life, near, hit.ctypes.data)
    return hit.astype(bool)
