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
from axk1.engine.backend import Batch, CacheFormat
from axk1.engine.native_library import BatchSpec, load
from axk1.engine.native_weights import NativeWeights
from axk1.engine.reference.weights import has_mtp, without_mtp

__all__ = ["NativeBackend"]

Floats = NDArray[np.float32]
_NO_SCRATCH = "no memory for the scratch of this batch: lower the tokens of a step"
ROUTER = ".mlp.gate.weight"  # always computed in float32, whatever the rest


class NativeBackend:
    """Implements `Backend` and `Drafting`. `threads` None takes every CPU that the process may use.

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
    ) -> None:
        self._library = load()
        self.config, self.blocks, self.block_size = without_mtp(folder.config), blocks, block_size
        self._path = folder.path
        self._weights = NativeWeights(folder, drafting=drafting)
        spec = self._weights.spec(blocks, block_size, threads or 0)
        reason = ctypes.create_string_buffer(256)
        self._model: int | None = self._library.axk1_open(ctypes.byref(spec), reason)
        if not self._model:
            raise CheckpointError(f"{folder.path}: {reason.value.decode()}")

    @staticmethod
    def cache_format(folder: CheckpointFolder) -> CacheFormat:
        """bfloat16, unless a matrix is float32 or float16: then activations and cache are float32."""
        matrices = (one for one in folder.weights.values() if len(one.shape) > 1 and not one.name.endswith(ROUTER))
        return "fp32" if any(kind_of(one) in ("f32", "f16") for one in matrices) else "bf16"

    @staticmethod
    def can_draft(folder: CheckpointFolder) -> bool:
        """Whether the folder has a multi-token-prediction layer."""
        return has_mtp(folder)

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
        if self._library.axk1_forward(self._model, spec, c_int32(logits), c_void_p(out.ctypes.data)):
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
