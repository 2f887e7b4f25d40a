"""Integer grids: a weight as whole numbers of `bits` bits, a scale per row and group, and perhaps a zero point.

Codes run from -2^(b-1) to 2^(b-1) - 1. Letters: O rows, I columns, G groups, S columns of a group.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from axk1.checkpoint.floats import SMALLEST, Float32, rounded_to
from axk1.checkpoint.quantization import Grid, Scheme, Shape
from axk1.checkpoint.tensorfile import CheckpointError

Codes = NDArray[np.int8]


def check_groups(shape: Shape, scheme: Scheme) -> None:
    """CheckpointError unless the weight is a matrix whose columns divide into whole groups.

    The library that defines the layout refuses a last group that is not full, and so do we.
    """
    if len(shape) != 2:
        raise CheckpointError(f"a quantised weight is a matrix, found the shape {list(shape)}")
    if scheme.group_size is not None and shape[1] % scheme.group_size:
        raise CheckpointError(f"{shape[1]} columns do not divide into groups of {scheme.group_size}")


def grouped(weight_OI: Float32, scheme: Scheme) -> Float32:
    """The weight as [O, G, S], a view."""
    rows, columns = weight_OI.shape
    return weight_OI.reshape(rows, scheme.groups(columns), -1)


def code_range(bits: int) -> tuple[int, int]:
    """The smallest and the largest code."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def extent(weight_OI: Float32, scheme: Scheme) -> tuple[Float32, Float32]:
    """The lowest and the highest value of each group, [O, G]; 0 lies between them, symmetric: (-max |w|, max |w|)."""
    weight_OGS = grouped(weight_OI, scheme)
    if scheme.symmetric:
        largest_OG = np.abs(weight_OGS).max(axis=2)
        return -largest_OG, largest_OG
    return np.minimum(weight_OGS.min(axis=2), 0), np.maximum(weight_OGS.max(axis=2), 0)


def grid_over(low_OG: Float32, high_OG: Float32, scheme: Scheme) -> Grid:
    """The grid whose 2^b - 1 steps reach from low to high; what lies between them is at most half a step off.

    scale = (high - low) / (2^b - 1). Scales are numbers that `scale_dtype` holds exactly, so a wide type keeps the
    half step exactly and BF16 within its own rounding.
    """
    scale_OG = storable((high_OG - low_OG) / np.float32((1 << scheme.bits) - 1), scheme)
    if scheme.symmetric:
        return Grid(scale_OG)
    least, most = code_range(scheme.bits)
    return Grid(scale_OG, np.clip(np.rint(least - low_OG / scale_OG), least, most).astype(np.int8))


def storable(scale_OG: Float32, scheme: Scheme) -> Float32:
    """Scales as they will read back, never 0: a group of zeros keeps the smallest scale."""
    floor = np.float32(SMALLEST[scheme.scale_dtype])
    return np.maximum(rounded_to(scale_OG.astype(np.float32), scheme.scale_dtype), floor)


def to_codes(weight_OI: Float32, grid: Grid, scheme: Scheme) -> Codes:
    """The nearest codes of the grid [O, I]."""
    scaled_OGS = grouped(weight_OI, scheme) / grid.scale_OG[:, :, None]
    if grid.zero_OG is not None:
        scaled_OGS += grid.zero_OG[:, :, None]
    least, most = code_range(scheme.bits)
    np.clip(np.rint(scaled_OGS, out=scaled_OGS), least, most, out=scaled_OGS)
    return scaled_OGS.astype(np.int8).reshape(weight_OI.shape)


def from_codes(codes_OI: Codes, grid: Grid, scheme: Scheme) -> Float32:
    """(code - zero) * scale, [O, I], in float32."""
    rows, columns = codes_OI.shape
    values_OGS = codes_OI.reshape(rows, scheme.groups(columns), -1).astype(np.float32)
    if grid.zero_OG is not None:
        values_OGS -= grid.zero_OG[:, :, None]
    values_OGS *= grid.scale_OG[:, :, None]
    return values_OGS.reshape(rows, columns)
