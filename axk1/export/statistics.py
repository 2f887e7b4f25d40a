"""Activation statistics for quantising: which input columns of a weight matter, measured elsewhere and handed in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axk1.checkpoint.floats import Float32


class ChannelStatistics:
    """The mean squared activation of each input column, by module name; `model.layers.3.mlp.experts.7.down_proj` falls
    back on `model.layers.3.mlp.experts.down_proj`, the mean over all experts."""

    def __init__(self, means: Mapping[str, Float32]) -> None:
        self._means = means

    @classmethod
    def load(cls, path: Path) -> ChannelStatistics:
        """A `.npz` file with an array [I] per module. ValueError for anything else, or values that are no means of
        squares."""
        try:
            with np.load(path) as arrays:
                means = {name: arrays[name] for name in arrays.files}
        except (OSError, ValueError, AttributeError) as error:
            raise ValueError(f"{path}: not a .npz file of arrays: {error}") from error
        return cls({name: _checked(path, name, array) for name, array in means.items()})

    def save(self, path: Path) -> None:
        """The file that `load` reads."""
        arrays: dict[str, Any] = dict(self._means)
        with path.open("wb") as file:
            np.savez(file, **arrays)

    def __call__(self, module: str) -> Float32 | None:
        """The means of a module [I], None when they were not measured."""
        before, experts, rest = module.partition(".experts.")
        pooled = before + experts + rest.partition(".")[2]
        return self._means.get(module, self._means.get(pooled) if experts else None)


def _checked(path: Path, name: str, array: NDArray[np.generic]) -> Float32:
    if array.ndim != 1 or array.dtype.kind != "f":
        raise ValueError(f"{path}: {name} must be a list of floats, found {array.dtype} {list(array.shape)}")
    means = array.astype(np.float32)
    if not np.isfinite(means).all() or (means < 0).any():
        raise ValueError(f"{path}: {name} holds values that are no means of squares")
    # a column that was never active still costs a little
    return np.maximum(means, np.float32(1e-6) * max(float(means.max(initial=0.0)), 1e-30))
