from pathlib import Path

import pytest

from axk1.arch import preset
from axk1.engine.available import available_bytes
from axk1.engine.engine import Limits
from axk1.engine.memory import Cache, blocks, bytes_of, planned
from axk1.engine.streaming import Footprint


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
    assert blocks(nano, 10 * one + one // 2, 32, 9999, "fp32") == 10
    assert blocks(nano, "1T", 32, 640, "fp32") == 20, "no more than can ever be used"
    k1 = preset("k1")
    context = k1.max_position_embeddings
    assert blocks(k1, None, 32, 64 * context, "fp32") == context // 32, "one whole context in any case"
    assert blocks(k1, None, 32, 6400, "fp32") == 200


def test_the_cache_holds_what_sequences_can_use_or_what_it_may() -> None:
    assert Limits(block_size=32, max_sequences=3).most_cached(1000) == 3 * 1024
    assert Limits(block_size=32, max_sequences=3, cache_tokens=2000).most_cached(1000) == 2016
    assert Limits(block_size=32, max_sequences=3, cache_tokens=9000).most_cached(1000) == 3 * 1024


CACHE = Cache(cell=10, scratch=5, block_size=16, context=1600, most=16_000)
MODEL = Footprint(
    weights=100_000, always=20_000, slot=1000, least_slots=10, most_slots=80, scratch=3000, scratch_per_position=5
)


def test_a_cache_of_several_texts_has_the_scratch_of_one() -> None:
    assert CACHE.blocks(15 * 160) == 10
    assert CACHE.blocks(15 * 1600) == 100
    assert CACHE.blocks(15 * 1600 + 10 * 160) == 110, "another text"
    assert CACHE.blocks(10**9) == 1000, "no more than can ever be used"
    assert CACHE.blocks(-1) == 0
    for count in (1, 10, 100, 110):
        assert CACHE.blocks(CACHE.bytes(count)) == count


def test_what_fits_stays_in_memory() -> None:
    plan = planned(103_000 + 15 * 1600, MODEL, CACHE)
    assert (plan.blocks, plan.expert_bytes) == (100, None)


@pytest.mark.parametrize("memory", [34_000, 50_000, 90_000, 103_000 + 15 * 1600 - 1])
def test_what_does_not_fit_shares_the_rest_between_cache_and_experts(memory: int) -> None:
    plan = planned(memory, MODEL, CACHE)
    assert plan.expert_bytes is not None
    assert 10_000 <= plan.expert_bytes <= 80_000
    assert 0 < CACHE.bytes(plan.blocks) <= (memory - 23_000) / 4
    assert 23_000 + plan.expert_bytes + CACHE.bytes(plan.blocks) <= memory


def test_memory_that_the_machine_and_its_groups_leave(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable:   50 kB\n")
    (tmp_path / "own").write_text("4:memory:/old\n1:cpu:/x\n0::/a/b\n")
    group = tmp_path / "groups"
    (group / "a/b").mkdir(parents=True)

    def available() -> int | None:
        return available_bytes(tmp_path / "meminfo", tmp_path / "own", group)

    assert available() == 50 << 10
    (group / "a/memory.max").write_text("40960\n")
    (group / "a/memory.current").write_text("20480\n")
    assert available() == 20480, "a limit of a group further up"
    (group / "a/memory.stat").write_text("anon 5\ninactive_file 10240\n")
    assert available() == 30720, "pages of files can go"
    (group / "a/b/memory.max").write_text("max\n")
    assert available() == 30720
    (group / "memory/old").mkdir(parents=True)
    (group / "memory/old/memory.limit_in_bytes").write_text("8192")
    (group / "memory/old/memory.usage_in_bytes").write_text("9000")
    assert available() == 0, "the older kind of groups; more is used than allowed"
    assert available_bytes(tmp_path / "none", tmp_path / "own", group) is None
