"""The parameters of a checkpoint folder as float32 arrays, whatever the file holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from axk1.arch import ModelConfig
from axk1.checkpoint import CheckpointError, CheckpointFolder, Piece, Plan, StoredWeight, expected, plan

__all__ = ["has_mtp", "not_finite", "one_mtp", "planned", "read", "values", "without_mtp"]

Floats = NDArray[np.float32]


def planned(folder: CheckpointFolder, *, mtp: bool = False) -> Plan:
    """Where each parameter of the main model comes from, and with `mtp` those of the layer that drafts.

    Raises CheckpointError for a weight that is missing, surplus or misshapen.
    """
    try:
        config = one_mtp(folder.config) if mtp else without_mtp(folder.config)
        return plan(config, {name: stored.shape for name, stored in folder.weights.items()}, mtp=mtp)
    except CheckpointError as error:
        raise CheckpointError(f"{folder.path}: {error}") from error


def read(folder: CheckpointFolder, *, mtp: bool = False) -> dict[str, Floats]:
    """Every parameter of the main model by its name (experts fused, as `checkpoint.expected` gives them), float32, and
    with `mtp` those of the layer that drafts.

    Raises CheckpointError as `planned` and `values` do.
    """
    mapping, shapes = planned(folder, mtp=mtp), expected(one_mtp(folder.config), mtp=mtp)
    parameters = {name: np.zeros(shapes[name], np.float32) for name in mapping.zeros}
    for name, pieces in mapping.sources.items():
        parameters[name] = np.empty(shapes[name], np.float32)
        for piece in pieces:
            _place(parameters[name], piece)[...] = values(folder, piece.tensor)
    return parameters


def values(folder: CheckpointFolder, name: str) -> Floats:
    """One weight as float32, decoded if it is quantised. CheckpointError when it holds NaN or infinity."""
    stored = folder.weights[name]
    found = folder.decode(name).reshape(stored.shape)
    if not np.isfinite(found).all():
        raise not_finite(stored)
    return found


def not_finite(stored: StoredWeight) -> CheckpointError:
    """The error for a weight that holds NaN or infinity."""
    return CheckpointError(f"{stored.parts['values'].file}: tensor {stored.name} holds NaN or infinite values")


def without_mtp(config: ModelConfig) -> ModelConfig:
    """The main model alone: multi-token-prediction layers play no part in plain decoding."""
    return replace(config, num_nextn_predict_layers=0)


def one_mtp(config: ModelConfig) -> ModelConfig:
    """With the first multi-token-prediction layer, which drafts; others are for training alone."""
    return replace(config, num_nextn_predict_layers=1)


def has_mtp(folder: CheckpointFolder) -> bool:
    """Whether the files hold what config.json promises: published folders often leave these layers out."""
    name = f"model.layers.{folder.config.num_hidden_layers}.eh_proj.weight"
    return folder.config.num_nextn_predict_layers > 0 and name in folder.weights


def _place(parameter: Floats, piece: Piece) -> Floats:
    """The view of the parameter that this piece fills."""
    if piece.expert is None:
        return parameter
    place: Floats = parameter[piece.expert, piece.first_row : piece.first_row + piece.shape[0]]
    return place
