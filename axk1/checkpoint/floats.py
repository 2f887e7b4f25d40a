"""The float types of a tensor file as NumPy arrays; bfloat16, which NumPy lacks, is the upper half of a float32."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

# How each type lies in memory. BF16 is kept as bits.
STORED: Mapping[str, np.dtype[np.generic]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
}
SMALLEST: Mapping[str, float] = {"F32": 2.0**-126, "BF16": 2.0**-126, "F16": 2.0**-14}  # smallest normal numbers


def to_float32(data: memoryview | bytes, dtype: str) -> Float32:
    """The numbers in `data` (bytes of type `dtype`, a key of STORED), one-dimensional."""
    stored = np.frombuffer(data, dtype=STORED[dtype])
    if dtype == "BF16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(np.float32)


def from_float32(values: Float32, dtype: str) -> NDArray[np.generic]:
    """`values` in type `dtype`, rounded to nearest, ties to even; shape kept."""
    if dtype != "BF16":
        return values.astype(STORED[dtype])
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = (bits + (np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1)))) >> 16
    # rounding up would turn a NaN with a full mantissa into a number
    return np.where(np.isnan(values), (bits >> 16) | np.uint32(0x40), rounded).astype("<u2")


def rounded_to(values: Float32, dtype: str) -> Float32:
    """`values` as they read back after being stored as `dtype`; shape kept."""
    if dtype == "F32":
        return values
    return to_float32(from_float32(values, dtype).tobytes(), dtype).reshape(values.shape)
