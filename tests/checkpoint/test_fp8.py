"""E4M3 against torch's own type, and blocks against a scale written out per element."""

import numpy as np
import pytest
import torch

from axk1.checkpoint import CheckpointError, Scheme
from axk1.checkpoint.floats import from_float32, to_float32
from axk1.checkpoint.fp8 import CODEC, E4M3, LARGEST

SCHEME = Scheme("fp8", 8, 128, block_rows=128, scale_dtype="F32")


def test_all_codes_have_the_value_that_torch_gives_them() -> None:
    theirs = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).float().numpy()
    np.testing.assert_array_equal(E4M3, theirs)
    assert np.nanmax(E4M3) == LARGEST
    assert E4M3[[0x01, 0x08, 0x38, 0x7E, 0xB8]].tolist() == [2.0**-9, 2.0**-6, 1.0, 448.0, -1.0]  # by the standard


def test_numbers_are_rounded_as_torch_does() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.uniform(-448, 448, 5000), rng.standard_normal(5000) * 0.01, E4M3[:0x7F], [0.0, -0.0]])
    middles = (E4M3[:0x7E] + E4M3[1:0x7F]) / 2
    weight = np.concatenate([values, middles, -middles]).astype(np.float32)
    weight = np.append(weight, [np.float32(448)] * (-len(weight) % 128)).reshape(-1, 128)
    weight[0, 0] = 448  # one block whose scale is 1
    ones = Scheme("fp8", 8, 128, block_rows=10_000, scale_dtype="F32")
    stored = CODEC.encode(weight, ones)
    assert stored["scale"].tolist() == [[1.0]]
    theirs = torch.from_numpy(weight).to(torch.float8_e4m3fn).float().numpy()
    np.testing.assert_array_equal(CODEC.decode(stored, weight.shape, ones), theirs)


def test_a_scale_belongs_to_its_block() -> None:
    rng = np.random.default_rng(1)
    codes, scales = rng.integers(0, 0x7F, (200, 300)).astype(np.uint8), rng.random((2, 3)).astype(np.float32)
    decoded = CODEC.decode({"values": codes, "scale": scales}, (200, 300), SCHEME)
    for row, column in [(0, 0), (127, 127), (128, 127), (127, 128), (199, 299), (130, 256)]:
        assert decoded[row, column] == E4M3[codes[row, column]] * scales[row // 128, column // 128]


@pytest.mark.parametrize("block", [None, [128], [128, 0], "128", [128, 128.0]])
def test_blocks_must_be_given(block: object) -> None:
    with pytest.raises(CheckpointError, match="weight_block_size must be two positive numbers"):
        CODEC.parse({"weight_block_size": block})


def test_another_fp8_is_refused() -> None:
    with pytest.raises(CheckpointError, match="only e4m3 is read"):
        CODEC.parse({"weight_block_size": [128, 128], "fmt": "e5m2"})


def test_bfloat16_is_that_of_torch() -> None:
    rng = np.random.default_rng(2)
    bits = rng.integers(0, 1 << 32, 20_000, dtype=np.uint32)
    values = np.append(bits.view(np.float32), np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 3.4e38], dtype=np.float32))
    with np.errstate(invalid="ignore"):
        ours = from_float32(values, "BF16")
    theirs = torch.from_numpy(values).bfloat16()
    back = to_float32(ours.tobytes(), "BF16")
    np.testing.assert_array_equal(back, theirs.float().numpy())
    np.testing.assert_array_equal(to_float32(from_float32(values, "F32").tobytes(), "F32"), values)
