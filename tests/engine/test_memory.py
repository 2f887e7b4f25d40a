import pytest

from axk1.arch import preset
from axk1.engine.memory import blocks, bytes_of


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("6G", 6 << 30),
        ("512M", 512 << 20),
        ("1.5GiB", 3 << 29),
        ("2k", 2048),
        ("100", 100),
        (7, 7),
        (" 1 TB ", 1 << 40),
    ],
)
def test_sizes_as_people_write_them(size: str | int, expected: int) -> None:
    assert bytes_of(size) == expected


@pytest.mark.parametrize("size", ["", "G", "-1G", "6 gigs", "1e9", True, -5])
def test_what_is_no_size_is_refused(size: str | int) -> None:
    with pytest.raises(ValueError, match="memory must be a size such as 6G"):
        bytes_of(size)


def test_blocks_fill_the_memory_given() -> None:
    nano = preset("nano")
    one = 32 * 4 * nano.num_hidden_layers * (nano.kv_lora_rank + nano.qk_rope_head_dim)
    assert blocks(nano, 10 * one + one // 2, 32, 64, "fp32") == 10
    assert blocks(nano, "1T", 32, 2, "fp32") == 2 * nano.max_position_embeddings // 32, "no more than can ever be used"
    k1 = preset("k1")
    assert blocks(k1, None, 32, 64, "fp32") == k1.max_position_embeddings // 32, "one whole context in any case"
