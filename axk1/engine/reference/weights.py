"""The parameters of a checkpoint folder as float32 arrays, whatever floats the file holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from axk1.arch import ModelConfig
from axk1.checkpoint import CheckpointError, CheckpointFolder, Piece, expected, plan

__all__ = ["read", "values", "without_mtp"]

Floats = NDArray[np.float32]


def read(folder: CheckpointFolder) -> dict[str, Floats]:
    """Every parameter of the main model by its name (experts fused, as `checkpoint.expected` gives them), float32.

    Raises CheckpointError for a tensor that is missing, surplus, misshapen, quantised, NaN or infinite.
    """
    if "quantization_config" in folder.raw_config:
        raise CheckpointError(f"{folder.path}: a quantised checkpoint; the reference back end reads plain floats")
    config = without_mtp(folder.config)
    try:
        mapping = plan(config, {name: info.shape for name, info in folder.tensors.items()})
    except CheckpointError as error:
        raise CheckpointError(f"{folder.path}: {error}") from error
    shapes = expected(config)
    parameters = {name: np.zeros(shapes[name], np.float32) for name in mapping.zeros}
    for name, pieces in mapping.sources.items():
        parameters[name] = np.empty(shapes[name], np.float32)
        for piece in pieces:
            _place(parameters[name], piece)[...] = values(folder, piece.tensor)
    return parameters


def without_mtp(config: ModelConfig) -> ModelConfig:
    """The main model alone: multi-token-prediction layers play no part in plain decoding."""
    return replace(config, num_nextn_predict_layers=0)


def _place(parameter: Floats, piece: Piece) -> Floats:
    """The view of the parameter that this piece fills."""
    if piece.expert is None:
        return parameter
    place: Floats = parameter[piece.expert, piece.first_row : piece.first_row + piece.shape[0]]
    return place


def values(folder: CheckpointFolder, name: str) -> Floats:
    """One tensor as float32. CheckpointError for another format, NaN or infinity."""
    info = folder.tensors[name]
    if info.dtype not in _DECODERS:
        raise CheckpointError(f"{info.file}: tensor {name} has dtype {info.dtype}, wanted {', '.join(_DECODERS)}")
    found = _DECODERS[info.dtype](folder.raw(name)).reshape(info.shape)
    if not np.isfinite(found).all():
        raise CheckpointError(f"{info.file}: tensor {name} holds NaN or infinite values")
    return found


def _bfloat16(data: memoryview) -> Floats:
    """A bfloat16 is the upper half of a float32."""
    return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)


_DECODERS: Mapping[str, Callable[[memoryview], Floats]] = {
    "F64": lambda data: np.frombuffer(data, "<f8").astype(np.float32),
    "F32": lambda data: np.frombuffer(data, "<f4").astype(np.float32, copy=False),
    "F16": lambda data: np.frombuffer(data, "<f2").astype(np.float32),
    "BF16": _bfloat16,
}
