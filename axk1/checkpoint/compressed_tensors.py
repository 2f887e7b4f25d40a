"""The two integer layouts of compressed-tensors, `pack-quantized` and `int-quantized`, and their settings.

Both store `weight_scale` [O, G] in the model's float type. `pack-quantized`: `weight_packed` int32
[O, ceil(I b / 32)], code i of a row at bits i b ... of that row, counted from the lowest bit of the first word, as
code + 2^(b-1); `weight_shape` int64 [2]; `weight_zero_point`, only when asymmetric, is packed the same way down the
rows: int32 [ceil(O b / 32), G]. `int-quantized`: `weight` and `weight_zero_point` as plain int8.
Source: compressed-tensors 0.20 (facts of the layout; golden bytes in the tests come from that package).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axk1.checkpoint.floats import Float32, from_float32, to_float32
from axk1.checkpoint.integers import Codes, check_groups, extent, from_codes, grid_over, to_codes
from axk1.checkpoint.quantization import Grid, Leaf, Role, Scheme, Shape, Stored
from axk1.checkpoint.tensorfile import CheckpointError

WORD_BITS = 32


class PackQuantized:
    """Integer weights of 4 or 8 bits, packed into 32-bit words."""

    leaves: Mapping[Role, str] = {
        "values": "weight_packed",
        "scale": "weight_scale",
        "zero_point": "weight_zero_point",
        "shape": "weight_shape",
    }

    def parse(self, settings: Mapping[str, Any]) -> Scheme:
        """Weight-only integers per group or per row."""
        return _parse("pack-quantized", settings, bits=(4, 8))

    def describe(self, scheme: Scheme) -> dict[str, Any]:
        """A config group without its targets."""
        return {"weights": _weights(scheme), "input_activations": None, "output_activations": None}

    def layout(self, shape: Shape, scheme: Scheme) -> Mapping[Role, Leaf]:
        """As at the top of the file."""
        check_groups(shape, scheme)
        rows, groups = shape[0], scheme.groups(shape[1])
        leaves: dict[Role, Leaf] = {
            "values": Leaf("I32", (rows, _words(shape[1], scheme.bits))),
            "scale": Leaf(scheme.scale_dtype, (rows, groups)),
            "shape": Leaf("I64", (2,)),
        }
        if not scheme.symmetric:
            leaves["zero_point"] = Leaf("I32", (_words(rows, scheme.bits), groups))
        return leaves

    def encode(self, weight_OI: Float32, scheme: Scheme, grid: Grid | None = None) -> Stored:
        """Nearest codes, packed."""
        check_groups(weight_OI.shape, scheme)
        grid = grid or grid_over(*extent(weight_OI, scheme), scheme)
        return self.store(to_codes(weight_OI, grid, scheme), grid, scheme)

    def store(self, codes_OI: Codes, grid: Grid, scheme: Scheme) -> Stored:
        """Codes that are already chosen, packed."""
        stored: dict[Role, NDArray[np.generic]] = {
            "values": pack(codes_OI, scheme.bits),
            "scale": from_float32(grid.scale_OG, scheme.scale_dtype),
            "shape": np.array(codes_OI.shape, dtype="<i8"),
        }
        if grid.zero_OG is not None:
            stored["zero_point"] = np.ascontiguousarray(pack(grid.zero_OG.T, scheme.bits).T)
        return stored

    def decode(self, stored: Stored, shape: Shape, scheme: Scheme) -> Float32:
        """Codes unpacked and put on their grid."""
        scale_OG = _scales(stored, scheme)
        zero_OG = None
        if not scheme.symmetric:
            zero_OG = unpack(stored["zero_point"].T, scheme.bits, shape[0]).T
        return from_codes(unpack(stored["values"], scheme.bits, shape[1]), Grid(scale_OG, zero_OG), scheme)


class IntQuantized:
    """Integer weights of 8 bits, one byte each."""

    leaves: Mapping[Role, str] = {"values": "weight", "scale": "weight_scale", "zero_point": "weight_zero_point"}

    def parse(self, settings: Mapping[str, Any]) -> Scheme:
        """Integers per group or per row; how activations are rounded is the reader's business."""
        return _parse("int-quantized", settings, bits=(8,))

    def describe(self, scheme: Scheme) -> dict[str, Any]:
        """A config group without its targets; activations are rounded per token, as readers of this layout want."""
        inputs = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "token", "dynamic": True}
        return {"weights": _weights(scheme), "input_activations": inputs, "output_activations": None}

    def layout(self, shape: Shape, scheme: Scheme) -> Mapping[Role, Leaf]:
        """As at the top of the file."""
        check_groups(shape, scheme)
        grid_shape = (shape[0], scheme.groups(shape[1]))
        leaves: dict[Role, Leaf] = {"values": Leaf("I8", shape), "scale": Leaf(scheme.scale_dtype, grid_shape)}
        return leaves if scheme.symmetric else {**leaves, "zero_point": Leaf("I8", grid_shape)}

    def encode(self, weight_OI: Float32, scheme: Scheme, grid: Grid | None = None) -> Stored:
        """Nearest codes."""
        check_groups(weight_OI.shape, scheme)
        grid = grid or grid_over(*extent(weight_OI, scheme), scheme)
        stored: dict[Role, NDArray[np.generic]] = {
            "values": to_codes(weight_OI, grid, scheme),
            "scale": from_float32(grid.scale_OG, scheme.scale_dtype),
        }
        return stored if grid.zero_OG is None else {**stored, "zero_point": grid.zero_OG}

    def decode(self, stored: Stored, shape: Shape, scheme: Scheme) -> Float32:
        """Codes put on their grid."""
        zero_OG = None if scheme.symmetric else stored["zero_point"].view(np.int8)
        return from_codes(stored["values"].view(np.int8).reshape(shape), Grid(_scales(stored, scheme), zero_OG), scheme)


def pack(codes_RC: Codes, bits: int) -> NDArray[np.int32]:
    """Codes of 4 or 8 bits into words along the columns: int32 [R, ceil(C bits / 32)], unused bits 0."""
    rows, columns = codes_RC.shape
    padded_RC: NDArray[np.uint8] = np.zeros((rows, _words(columns, bits) * WORD_BITS // bits), dtype=np.uint8)
    padded_RC[:, :columns] = codes_RC.view(np.uint8) + np.uint8(1 << (bits - 1))  # wraps around to code + 2^(b-1)
    if bits == 4:
        padded_RC &= np.uint8(0xF)
        padded_RC = padded_RC[:, 0::2] | (padded_RC[:, 1::2] << np.uint8(4))
    return np.ascontiguousarray(padded_RC).view("<i4")


def unpack(words_RW: NDArray[np.generic], bits: int, columns: int) -> Codes:
    """The first `columns` codes of each row of words; undoes `pack`."""
    codes_RC = np.ascontiguousarray(words_RW).view(np.uint8)
    if bits == 4:
        nibbles = np.stack((codes_RC & np.uint8(0xF), codes_RC >> np.uint8(4)), axis=-1)
        codes_RC = nibbles.astype(np.uint8, copy=False).reshape(len(codes_RC), -1)
    return (codes_RC[:, :columns] - np.uint8(1 << (bits - 1))).view(np.int8)


def _words(count: int, bits: int) -> int:
    return -(-count * bits // WORD_BITS)


def _scales(stored: Stored, scheme: Scheme) -> Float32:
    scale = stored["scale"]
    return to_float32(np.ascontiguousarray(scale).data.cast("B"), scheme.scale_dtype).reshape(scale.shape)


def _weights(scheme: Scheme) -> dict[str, Any]:
    return {
        "num_bits": scheme.bits,
        "type": "int",
        "symmetric": scheme.symmetric,
        "strategy": "channel" if scheme.group_size is None else "group",
        "group_size": scheme.group_size,
        "dynamic": False,
    }


def _parse(name: str, settings: Mapping[str, Any], bits: tuple[int, ...]) -> Scheme:
    weights = settings.get("weights")
    if not isinstance(weights, Mapping):
        raise CheckpointError(f"{name}: a config group without weights: {weights!r}")
    found = weights.get("num_bits", 8)
    if weights.get("type", "int") != "int" or found not in bits:
        wanted = " or ".join(map(str, bits))
        raise CheckpointError(f"{name}: wanted integers of {wanted} bits, found {found} of {weights.get('type')!r}")
    if weights.get("dynamic") or weights.get("actorder") in ("group", "dynamic"):
        raise CheckpointError(f"{name}: dynamic weights and columns in another order are not read")
    return Scheme(name, found, _group_size(name, weights), weights.get("symmetric", True) is True)


def _group_size(name: str, weights: Mapping[str, Any]) -> int | None:
    """The `group_size` of the settings; None for one scale a row."""
    size = weights.get("group_size")
    strategy = weights.get("strategy") or ("channel" if size == -1 else "group" if size else "tensor")
    if strategy == "channel":
        return None
    if strategy == "group" and isinstance(size, int) and size > 0:
        return size
    raise CheckpointError(f"{name}: strategy {strategy!r} with group_size {size!r}: only channel, or group with a size")


PACK_QUANTIZED, INT_QUANTIZED = PackQuantized(), IntQuantized()
