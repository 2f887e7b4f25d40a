"""What every quantisation codec, ours or another package's, must keep."""

import json
from dataclasses import replace

import numpy as np
import pytest

from axk1 import registry
from axk1.checkpoint import CheckpointError, Scheme
from axk1.checkpoint.floats import STORED
from axk1.checkpoint.quantization import QuantizationCodec, codec
from axk1.checkpoint.tensorfile import DTYPE_BYTES

NAMES = registry.names("quantization_codec")
# Schemes that ours have. Another package's codec is tried with each; what it refuses to describe is not its own.
SCHEMES = {
    "fp8": [Scheme("fp8", 8, 128, block_rows=128, scale_dtype="F32")],
    "int-quantized": [
        Scheme("int-quantized", 8, group, symmetric, scale_dtype="F32")
        for group in (None, 32, 128)
        for symmetric in (True, False)
    ],
    "pack-quantized": [
        Scheme("pack-quantized", bits, group, symmetric, scale_dtype="F32")
        for bits in (4, 8)
        for group in (None, 32, 64, 128)
        for symmetric in (True, False)
    ],
}
CASES = [(name, scheme) for name in NAMES for scheme in SCHEMES.get(name, [])]
# Rows and columns that fill no word, no block and no cache line
SHAPES = [(1, 128), (5, 256), (37, 384), (130, 128)]


def weight(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape).astype(np.float32) + np.float32(0.3)
    values[rng.random(shape) < 0.01] *= 8
    values[0, :32] = 0  # a group of nothing
    return values


def half_step(values: np.ndarray, scheme: Scheme) -> np.ndarray:
    """Half the distance of neighbouring codes over the range of each group; FP8's largest steps are 1/14 of it."""
    if scheme.codec == "fp8":
        return np.full(values.shape, np.abs(values).max() / 28, dtype=np.float32)
    groups = values.reshape(len(values), scheme.groups(values.shape[1]), -1)
    low, high = np.minimum(groups.min(2), 0), np.maximum(groups.max(2), 0)
    reach = 2 * np.maximum(high, -low) if scheme.symmetric else high - low
    return np.repeat(reach / (2**scheme.bits - 1) / 2, groups.shape[2], axis=1)


def test_there_are_codecs() -> None:
    assert {"fp8", "pack-quantized", "int-quantized"} <= set(NAMES)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "scheme"), CASES, ids=str)
def test_a_round_trip_is_within_half_a_step(name: str, scheme: Scheme, shape: tuple[int, int]) -> None:
    values, found = weight(shape), codec(name)
    decoded = found.decode(found.encode(values, scheme), shape, scheme)
    assert decoded.dtype == np.float32
    assert (np.abs(decoded - values) <= half_step(values, scheme) * (1 + 1e-4) + 1e-6).all()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "scheme"), CASES, ids=str)
def test_what_is_stored_has_the_layout(name: str, scheme: Scheme, shape: tuple[int, int]) -> None:
    found = codec(name)
    stored, layout = found.encode(weight(shape), scheme), found.layout(shape, scheme)
    assert {role: array.shape for role, array in stored.items()} == {role: leaf.shape for role, leaf in layout.items()}
    for role, leaf in layout.items():
        assert stored[role].dtype.itemsize == DTYPE_BYTES[leaf.dtype]
        assert role in found.leaves
    assert ("zero_point" in layout) != scheme.symmetric


@pytest.mark.parametrize(("name", "scheme"), CASES, ids=str)
def test_decoded_numbers_are_encoded_without_loss(name: str, scheme: Scheme) -> None:
    shape, found = (37, 256), codec(name)
    first = found.encode(weight(shape), scheme)
    decoded = found.decode(first, shape, scheme)
    grid = None if scheme.codec == "fp8" else _grid(found, first, scheme, shape)
    again = found.decode(found.encode(decoded, scheme, grid), shape, scheme)
    np.testing.assert_allclose(again, decoded, rtol=1e-6, atol=1e-7)


def _grid(found: QuantizationCodec, stored: dict, scheme: Scheme, shape: tuple[int, int]):
    from axk1.checkpoint.compressed_tensors import unpack
    from axk1.checkpoint.quantization import Grid

    zero = stored.get("zero_point")
    if zero is not None and zero.dtype != np.int8:
        zero = unpack(zero.T, scheme.bits, shape[0]).T
    return Grid(stored["scale"].astype(np.float32), zero)


@pytest.mark.parametrize(("name", "scheme"), CASES, ids=str)
def test_rows_can_be_coded_apart(name: str, scheme: Scheme) -> None:
    """128 rows here and 128 rows there are stored as the two halves of 256 rows, which streaming rests on."""
    values, found = weight((256, 256)), codec(name)
    whole = found.encode(values, scheme)
    halves = [found.encode(values[:128], scheme), found.encode(values[128:], scheme)]
    for role, array in whole.items():
        if role != "shape":
            np.testing.assert_array_equal(np.concatenate([half[role] for half in halves]), array)


@pytest.mark.parametrize("scale_dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize(("name", "scheme"), CASES, ids=str)
def test_scales_are_stored_as_asked(name: str, scheme: Scheme, scale_dtype: str) -> None:
    if scheme.codec == "fp8" and scale_dtype != "F32":
        return
    found, shape, asked = codec(name), (16, 128), replace(scheme, scale_dtype=scale_dtype)
    stored = found.encode(weight(shape), asked)
    assert stored["scale"].dtype == STORED[scale_dtype]
    difference = found.decode(stored, shape, asked) - weight(shape)
    # BF16 keeps 8 bits of a scale, so the ends of a range of 256 codes may lie a code and a half outside
    assert (np.abs(difference) <= half_step(weight(shape), scheme) * (1 + 2**-7 * 2**scheme.bits) + 1e-4).all()


@pytest.mark.parametrize(("name", "scheme"), CASES, ids=str)
def test_settings_are_read_back(name: str, scheme: Scheme) -> None:
    found = codec(name)
    settings = json.loads(json.dumps(found.describe(scheme)))
    assert replace(found.parse(settings), scale_dtype=scheme.scale_dtype) == scheme


@pytest.mark.parametrize(("name", "scheme"), CASES, ids=str)
def test_what_is_no_matrix_is_refused(name: str, scheme: Scheme) -> None:
    with pytest.raises(CheckpointError, match=r"a matrix, found the shape \[4, 4, 128\]"):
        codec(name).layout((4, 4, 128), scheme)


@pytest.mark.parametrize(("name", "scheme"), [case for case in CASES if case[0] != "fp8" and case[1].group_size])
def test_a_ragged_last_group_is_refused(name: str, scheme: Scheme) -> None:
    """As the library that defines the layout does."""
    with pytest.raises(CheckpointError, match=f"40 columns do not divide into groups of {scheme.group_size}"):
        codec(name).layout((8, 40), scheme)
