"""Bytes against the compressed-tensors package, and settings that cannot be read.

The golden values were made with compressed-tensors 0.20.0 and torch 2.13: `calculate_qparams` on the group extremes
of `lattice()`, scales rounded to bfloat16, then `PackedQuantizationCompressor.compress` and `.decompress`.
"""

import hashlib

import numpy as np
import pytest

from axk1.checkpoint import CheckpointError, Grid, Scheme
from axk1.checkpoint.compressed_tensors import INT_QUANTIZED, PACK_QUANTIZED, pack, unpack

A, B, C, D = 0.1669921875, 0.162109375, 0.00982666015625, 0.00958251953125
ASYMMETRIC_4 = [A, B, A, A, B, B, A, A, B, A, B, A, B, A, B, A, A, B, B, A, A, B, A, B]
ASYMMETRIC_8 = [C, D, C, C, D, D, C, C, D, C, D, C, D, C, D, C, C, D, D, C, C, D, C, D]
S, T = 0.19140625, 0.18359375
SYMMETRIC_4 = [S, T, S, S, S, T, S, S, S, S, T, S, S, S, T, S, S, S, T, S, S, S, S, T]
GOLDEN = {
    "int4-g32": (
        Scheme("pack-quantized", 4, 32),
        SYMMETRIC_4,
        "62da73eb84fc953da64eb75fc86fd973ea84fb952ca63db74ec85fd963ea74fb",
        "ef53d90a5bb79a88f3f60b99544b5996c0ef30333c4c2b7953be2df81afefe5a",
        None,
        141.63671875,
        [0.765625, 1.33984375, -0.3828125, 0.19140625, 0.95703125],
    ),
    "int4-g32-asym": (
        Scheme("pack-quantized", 4, 32, symmetric=False),
        ASYMMETRIC_4,
        "40c851d962ea730b841c952da63fc750ea72fb840c952da63eb74fc851e962fa",
        "8dac7d3f347e3b18f3312b403d638521c38bb341f38ae88695cf2680335ff5cf",
        "66667676676766667666000066760000",
        142.515625,
        [0.66796875, 1.5029296875, -0.5009765625, 0.1669921875, 1.001953125],
    ),
    "int8-g32-asym": (
        Scheme("pack-quantized", 8, 32, symmetric=False),
        ASYMMETRIC_8,
        (
            "00468cd213599fe5266cb2f8397fc5064c92d8195fa5eb2c72b8fe3f85cb0d53"
            "9de42168b0f8347cc4004890d7145ba3eb276fb7fe3b83ca074e96de1a62aaf1"
        ),
        "9ae7c732b068ee8a6fcd21140fbac9ba04f388ed60d12f55dcc376c5019f527e",
        "6c6c696c6f6c6f6c696f696f6c6c6c6c6c6f6c6c696c696f",
        143.36285400390625,
        [0.746826171875, 1.4346923828125, -0.44219970703125, 0.24566650390625, 0.93353271484375],
    ),
    "int8": (
        Scheme("pack-quantized", 8),
        [0.01129150390625] * 12,
        (
            "225f9cd9336face94380bdfa5491cd2764a1de3875b2ef4986c2ff5996d32d6a"
            "a7e43e7ab7f44e8bc8225f9cd9336face94380bdfa5491cd2764a1de3875b2ef"
        ),
        "c5bf99ab418272fe472b29e1ad8d44d82405b6a333fa4264528cc7a8772b536e",
        None,
        143.53759765625,
        [0.7452392578125, 1.43402099609375, -0.44036865234375, 0.2484130859375, 0.93719482421875],
    ),
}


def lattice() -> np.ndarray:
    rows, columns = np.mgrid[:12, :64]
    return (((rows * 37 + columns * 11) % 41 - 17) / 16).astype(np.float32)


@pytest.mark.parametrize("name", GOLDEN)
def test_our_bytes_are_those_of_the_library(name: str) -> None:
    scheme, scales, first_row, digest, zeros, total, some = GOLDEN[name]
    scale = np.array(scales, dtype=np.float32).reshape(12, -1)
    zero = None
    if zeros:
        words = np.frombuffer(bytes.fromhex(zeros), dtype="<i4").reshape(-1, scale.shape[1])
        zero = unpack(words.T, scheme.bits, 12).T
    stored = PACK_QUANTIZED.encode(lattice(), scheme, Grid(scale, zero))
    np.testing.assert_array_equal(stored["scale"], scale.view(np.uint32) >> 16)
    assert stored["values"][0].tobytes().hex() == first_row
    assert hashlib.sha256(stored["values"].tobytes()).hexdigest() == digest
    assert (stored["zero_point"].tobytes().hex() if zeros else None) == zeros
    assert stored["shape"].tolist() == [12, 64]
    decoded = PACK_QUANTIZED.decode(stored, (12, 64), scheme)
    assert float(decoded.astype(np.float64).sum()) == total
    assert decoded[3, :5].tolist() == some


@pytest.mark.parametrize("name", ["int4-g32", "int8"])
def test_our_own_symmetric_grid_is_that_of_the_library(name: str) -> None:
    scheme, scales, _, digest, *_ = GOLDEN[name]
    stored = PACK_QUANTIZED.encode(lattice(), scheme)
    np.testing.assert_array_equal(stored["scale"].ravel(), np.array(scales, dtype=np.float32).view(np.uint32) >> 16)
    assert hashlib.sha256(stored["values"].tobytes()).hexdigest() == digest


def test_codes_lie_from_the_lowest_bits_up() -> None:
    codes = np.arange(-8, 8, dtype=np.int8).reshape(1, 16)
    assert pack(codes, 4).view(np.uint32).tolist() == [[0x76543210, 0xFEDCBA98]]
    assert pack(np.array([[-128, -1, 0, 127]], dtype=np.int8), 8).view(np.uint32).tolist() == [[0xFF807F00]]


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("columns", [1, 7, 8, 9, 31, 64])
def test_any_number_of_codes_comes_back(bits: int, columns: int) -> None:
    rng = np.random.default_rng(columns)
    codes = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), (3, columns)).astype(np.int8)
    words = pack(codes, bits)
    assert words.shape == (3, -(-columns * bits // 32))
    np.testing.assert_array_equal(unpack(words, bits, columns), codes)


def test_a_given_grid_is_used() -> None:
    grid = Grid(np.full((12, 2), 0.5, dtype=np.float32))
    scheme = Scheme("pack-quantized", 4, 32)
    decoded = PACK_QUANTIZED.decode(PACK_QUANTIZED.encode(lattice(), scheme, grid), (12, 64), scheme)
    np.testing.assert_array_equal(decoded, np.clip(np.rint(lattice() * 2), -8, 7) / 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "without weights"),
        ({"weights": {"num_bits": 3, "group_size": 32}}, "wanted integers of 4 or 8 bits, found 3"),
        ({"weights": {"num_bits": 4, "type": "float", "group_size": 32}}, "found 4 of 'float'"),
        ({"weights": {"num_bits": 4, "strategy": "tensor"}}, "strategy 'tensor' with group_size None"),
        ({"weights": {"num_bits": 4, "strategy": "group"}}, "strategy 'group' with group_size None"),
        ({"weights": {"num_bits": 4, "strategy": "block", "group_size": 32}}, "strategy 'block'"),
        ({"weights": {"num_bits": 4, "group_size": 32, "dynamic": True}}, "dynamic weights"),
        ({"weights": {"num_bits": 4, "group_size": 32, "actorder": "group"}}, "columns in another order"),
    ],
)
def test_settings_that_are_not_read(settings: dict, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        PACK_QUANTIZED.parse(settings)


def test_settings_as_others_write_them() -> None:
    weights = {"num_bits": 4, "type": "int", "symmetric": False, "group_size": 128, "strategy": "group"}
    more = {
        "observer": "minmax",
        "observer_kwargs": {},
        "actorder": "weight",
        "block_structure": None,
        "dynamic": False,
    }
    assert PACK_QUANTIZED.parse({"weights": weights | more}) == Scheme("pack-quantized", 4, 128, symmetric=False)
    assert INT_QUANTIZED.parse({"weights": {"num_bits": 8, "group_size": -1}}) == Scheme("int-quantized", 8)
