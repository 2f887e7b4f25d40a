"""FP8 E4M3 with one float32 scale per block of 128 x 128, as DeepSeek-V3 and A.X publish it.

`X.weight` F8_E4M3 [O, I] and `X.weight_scale_inv` F32 [ceil(O/128), ceil(I/128)]; in spite of its name the scale is
multiplied: weight = value * scale (DeepSeek-V3 report, section 3.3; its released inference code).
E4M3 (OCP 8-bit floating point, "fn"): sign, 4 exponent bits with bias 7, 3 mantissa bits, no infinities, largest 448,
S.1111.111 is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axk1.checkpoint.floats import Float32
from axk1.checkpoint.quantization import Grid, Leaf, Role, Scheme, Shape, Stored
from axk1.checkpoint.tensorfile import CheckpointError

LARGEST = 448.0


def _table() -> Float32:
    """The value of each of the 256 codes."""
    codes = np.arange(256)
    sign, exponent, mantissa = np.where(codes & 0x80, -1.0, 1.0), (codes >> 3) & 0xF, codes & 0x7
    values = np.where(exponent == 0, mantissa * 2.0**-9, (8 + mantissa) * 2.0 ** (exponent - 10.0))
    values[(codes & 0x7F) == 0x7F] = np.nan
    return (sign * values).astype(np.float32)


E4M3 = _table()


class Fp8Block:
    """Blocks of E4M3 with a scale each; the last block of a row or column may be cut short."""

    leaves: Mapping[Role, str] = {"values": "weight", "scale": "weight_scale_inv"}

    def parse(self, settings: Mapping[str, Any]) -> Scheme:
        """`weight_block_size` is required; how activations are rounded is the reader's business."""
        block = settings.get("weight_block_size")
        if not (isinstance(block, list) and len(block) == 2 and all(type(one) is int and one > 0 for one in block)):
            raise CheckpointError(f"fp8: weight_block_size must be two positive numbers, found {block!r}")
        if settings.get("fmt", "e4m3") not in ("e4m3", "float8_e4m3fn"):
            raise CheckpointError(f"fp8: only e4m3 is read, found fmt {settings['fmt']!r}")
        return Scheme("fp8", 8, block[1], block_rows=block[0], scale_dtype="F32")

    def describe(self, scheme: Scheme) -> dict[str, Any]:
        """The whole quantization_config."""
        block = [scheme.block_rows, scheme.group_size]
        return {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": block}

    def layout(self, shape: Shape, scheme: Scheme) -> Mapping[Role, Leaf]:
        """As at the top of the file."""
        if len(shape) != 2:
            raise CheckpointError(f"a quantised weight is a matrix, found the shape {list(shape)}")
        blocks = (-(-shape[0] // scheme.block_rows), scheme.groups(shape[1]))
        return {"values": Leaf("F8_E4M3", shape), "scale": Leaf(scheme.scale_dtype, blocks)}

    def encode(self, weight_OI: Float32, scheme: Scheme, grid: Grid | None = None) -> Stored:
        """The nearest values, ties to the even code."""
        scale_OG = (grid or _range_grid(weight_OI, scheme)).scale_OG
        scaled_OI = np.clip(weight_OI / _spread(scale_OG, weight_OI.shape, scheme), -LARGEST, LARGEST)
        return {"values": _nearest(scaled_OI), "scale": scale_OG.astype("<f4")}

    def decode(self, stored: Stored, shape: Shape, scheme: Scheme) -> Float32:
        """Table look-up, then the block's scale."""
        scale_OG = stored["scale"].astype(np.float32)
        return E4M3[stored["values"].view(np.uint8)] * _spread(scale_OG, shape, scheme)


def _spread(scale_OG: Float32, shape: Shape, scheme: Scheme) -> Float32:
    """Each scale repeated over its block, [O, I]."""
    assert scheme.group_size is not None
    rows = np.repeat(scale_OG, scheme.block_rows, axis=0)[: shape[0]]
    return np.repeat(rows, scheme.group_size, axis=1)[:, : shape[1]]


def _range_grid(weight_OI: Float32, scheme: Scheme) -> Grid:
    assert scheme.group_size is not None
    rows, columns = weight_OI.shape
    blocks = (-(-rows // scheme.block_rows), scheme.groups(columns))
    padded = np.zeros((blocks[0] * scheme.block_rows, blocks[1] * scheme.group_size), dtype=np.float32)
    padded[:rows, :columns] = np.abs(weight_OI)
    largest_OG = padded.reshape(blocks[0], scheme.block_rows, blocks[1], -1).max(axis=(1, 3))
    return Grid(np.where(largest_OG > 0, largest_OG / np.float32(LARGEST), np.float32(1)))


def _nearest(values: Float32) -> NDArray[np.uint8]:
    """The codes whose values are nearest; |values| <= 448."""
    positive = E4M3[:0x7F].astype(np.float64)
    middles = (positive[1:] + positive[:-1]) / 2
    size = np.abs(values)
    codes = np.searchsorted(middles, size, side="left")
    # exactly in the middle: `left` gives the lower code, the even one is wanted
    tie = np.take(middles, np.minimum(codes, len(middles) - 1)) == size
    codes += tie & (codes % 2 == 1)
    return np.where(np.signbit(values), codes | 0x80, codes).astype(np.uint8)


CODEC = Fp8Block()
