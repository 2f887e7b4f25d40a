import errno
import json
import resource
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axk1.data.shards import ShardError, ShardWriter, TokenShards

DOCUMENTS = st.lists(st.lists(st.tuples(st.integers(0, 299), st.booleans()), max_size=20), max_size=20)
LOCAL = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)


@LOCAL
@given(DOCUMENTS, st.sampled_from([300, 65536, 65537, 200_000]))
def test_documents_and_masks_come_back(make_shards, documents, vocab_size):
    ids = [[id_ for id_, _ in document] for document in documents]
    masks = [[bit for _, bit in document] for document in documents]
    shards = make_shards(ids, vocab_size, masks)
    assert len(shards) == len(documents)
    assert [shards.document(i).tolist() for i in range(len(ids))] == ids
    assert [shards.loss_mask(i).tolist() for i in range(len(ids))] == masks
    assert [shards.length(i) for i in range(len(ids))] == [len(one) for one in ids]
    assert [shards.text_bytes(i) for i in range(len(ids))] == [3 * len(one) for one in ids]
    assert shards.summary.text_bytes == 3 * shards.summary.tokens == 3 * sum(map(len, ids))


@LOCAL
@given(DOCUMENTS, st.integers(0, 20))
def test_long_documents_are_counted(make_shards, documents, limit):
    shards = make_shards([[id_ for id_, _ in document] for document in documents])
    longer = [number for number, document in enumerate(documents) if len(document) > limit]
    assert shards.count_longer_than(limit) == (len(longer), longer[0] if longer else -1)


def test_part_of_a_document(make_shards):
    shards = make_shards([[9], list(range(10)), [9]])
    assert shards.document(1, 3, 4).tolist() == [3, 4, 5, 6]
    assert shards.document(1, 8, 100).tolist() == [8, 9]
    assert shards.document(1, 10, 5).tolist() == []


@pytest.mark.parametrize(("vocab_size", "width"), [(65536, 2), (65537, 4)])
def test_ids_take_two_bytes_where_they_fit(make_shards, vocab_size, width):
    shards = make_shards([[0, vocab_size - 1]], vocab_size)
    assert shards.document(0).tolist() == [0, vocab_size - 1]
    assert (shards.folder / "tokens.bin").stat().st_size == 2 * width


@pytest.mark.parametrize("wrong", [-1, 100, 70_000, 1 << 40])
def test_an_id_outside_the_vocabulary_is_refused(wrong, tmp_path):
    with ShardWriter(tmp_path / "s", 100) as writer:
        writer.add([0, 99])
        with pytest.raises(ShardError, match=f"document 1: id {wrong} is outside the vocabulary of 100"):
            writer.add([5, wrong, 6])


def test_masks_must_fit(tmp_path):
    with ShardWriter(tmp_path / "a", 100) as writer, pytest.raises(ShardError, match="for all documents alike"):
        writer.add([1], [True])
    with ShardWriter(tmp_path / "b", 100, with_loss_mask=True) as writer:
        with pytest.raises(ShardError, match="for all documents alike"):
            writer.add([1])
        with pytest.raises(ShardError, match="document 0: the loss mask has 2 entries for 1 tokens"):
            writer.add([1], [True, False])
    assert len(TokenShards.open(tmp_path / "b")) == 0


def test_nothing_is_left_of_an_interrupted_writer(tmp_path):
    def interrupted() -> None:
        with ShardWriter(tmp_path / "s", 100) as writer:
            writer.add([1, 2])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path, monkeypatch):
    def write_whole(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("axk1.data.shards.write_whole", write_whole)
    with (
        pytest.raises(OSError, match=r"the disk is full: .* was not written"),
        ShardWriter(tmp_path / "s", 100) as writer,
    ):
        writer.add([1, 2])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["tokens", "offsets", "bytes", "loss"])
@pytest.mark.parametrize("damage", ["truncate", "extend", "remove"])
def test_damaged_files_are_named(make_shards, name, damage):
    shards = make_shards([[1, 2, 3]] * 10, masks=[[True, False, True]] * 10)
    path = shards.folder / f"{name}.bin"
    data = path.read_bytes()
    path.unlink() if damage == "remove" else path.write_bytes(data[:-1] if damage == "truncate" else data + b"\0")
    with pytest.raises(ShardError, match=rf"{name}\.bin (is missing|has \d+ bytes, should have {len(data)})"):
        TokenShards.open(shards.folder)


def test_files_of_another_run_are_noticed(make_shards):
    shards, other = make_shards([[1, 2], [3]]), make_shards([[1], [2, 3], [4]])
    (shards.folder / "offsets.bin").write_bytes((other.folder / "offsets.bin").read_bytes()[:24])
    assert TokenShards.open(shards.folder)  # same sizes, same end: only that can be seen without reading everything
    (shards.folder / "offsets.bin").write_bytes(np.array([0, 1, 2], np.uint64).tobytes())
    with pytest.raises(ShardError, match=r"offsets\.bin ends at token 2, not at 3"):
        TokenShards.open(shards.folder)


def test_a_folder_without_shards_and_a_damaged_summary_are_errors(make_shards, tmp_path):
    with pytest.raises(ShardError, match=r"holds no token shards \(shards\.json is missing\)"):
        TokenShards.open(tmp_path)
    shards = make_shards([[1]])
    summary = shards.folder / "shards.json"
    values = json.loads(summary.read_text("utf-8"))
    for text, message in (
        ("{", "damaged"),
        (json.dumps({**values, "extra": 1}), "unknown key 'extra'"),
        (json.dumps({**values, "version": 2}), "format 2, this program reads 1"),
    ):
        summary.write_text(text, encoding="utf-8")
        with pytest.raises(ShardError, match=message):
            TokenShards.open(shards.folder)


def test_opening_200_mb_and_reading_here_and_there_takes_little_memory(tmp_path):
    row = np.arange(1_000_000) % 50_000
    tracemalloc.start()
    with ShardWriter(tmp_path / "s", 65536) as writer:
        for _ in range(100):
            writer.add(row)
    written = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "s/tokens.bin").stat().st_size == 200_000_000
    assert written < 40_000_000  # a few buffers and one document of 8 MB, copied; never 200
    script = f"""
import resource, sys
from pathlib import Path
from axk1.data.shards import TokenShards
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
shards = TokenShards.open(Path({str(tmp_path / "s")!r}))
for i in range(100):
    assert shards.document(i, 1234, 10).tolist() == list(range(1234, 1244))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20_000  # KiB of resident memory, mapped pages included
    assert resource.RUSAGE_SELF == 0
