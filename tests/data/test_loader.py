import dataclasses
import json
import tracemalloc
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axk1.data import rows
from axk1.data.loader import Loader, LoaderState
from axk1.data.permutation import Permutation
from axk1.data.rows import IGNORED, PADDING
from axk1.data.shards import ShardError, TokenShards

LOCAL = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
LENGTHS = st.lists(st.integers(0, 12), min_size=1, max_size=30).filter(any)
SMALL_WINDOWS = 5


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks and windows so small that the few documents of a test need several."""
    monkeypatch.setattr(rows, "_BLOCK", 4)
    monkeypatch.setattr(rows, "_WINDOW", SMALL_WINDOWS)


def _numbered(lengths: list[int]) -> list[list[int]]:
    """Documents in which every token tells its document and place: 100 * document + place + 10."""
    return [[100 * number + place + 10 for place in range(length)] for number, length in enumerate(lengths)]


def _take(loader: Loader, count: int) -> list[dict[str, object]]:
    batches = [loader.next() for _ in range(count)]
    return [
        {name: None if tensor is None else tensor.tolist() for name, tensor in vars(batch).items()} for batch in batches
    ]


def _stream(shards: TokenShards, seed: int, epochs: int) -> list[int]:
    """What a stream is, by its definition: the separator and a document, in each epoch's order."""
    tokens = []
    for epoch in range(epochs):
        for index in Permutation(len(shards), (seed, epoch)).at(0, len(shards)):
            tokens += [0, *shards.document(index).tolist()]
    return tokens


@LOCAL
@given(LENGTHS, st.integers(1, 9), st.integers(1, 3), st.integers(0, 3))
def test_a_stream_is_every_document_once_an_epoch_without_a_gap(make_shards, lengths, seq_len, batch_size, seed):
    shards = make_shards(_numbered(lengths))
    loader = Loader(shards, seq_len, batch_size, seed)
    expected = _stream(shards, seed, epochs=4)
    batches = (len(expected) - 1) // (seq_len * batch_size)
    at = 0
    for _ in range(batches):
        batch = loader.next()
        assert batch.documents_BT is None
        assert batch.tokens_BT.dtype == batch.targets_BT.dtype == torch.int64
        for tokens, targets in zip(batch.tokens_BT.tolist(), batch.targets_BT.tolist(), strict=True):
            assert tokens == expected[at : at + seq_len]
            assert targets == expected[at + 1 : at + seq_len + 1]
            at += seq_len


@LOCAL
@given(LENGTHS, st.integers(11, 20), st.integers(1, 3), st.integers(0, 3), st.data())
def test_packed_rows_hold_every_sample_once_an_epoch_whole_and_apart(
    make_shards, lengths, seq_len, batch_size, seed, data
):
    masks = [data.draw(st.lists(st.booleans(), min_size=n, max_size=n)) for n in lengths]
    if max(lengths) < 2:
        lengths, masks = [*lengths, 5], [*masks, [False, True, True, False, True]]
    documents = _numbered(lengths)
    shards = make_shards(documents, masks=masks)
    loader = Loader(shards, seq_len, batch_size, seed, "documents")
    seen: Counter[int] = Counter()
    while min((seen[number] for number, length in enumerate(lengths) if length > 1)) < 2:
        batch = loader.next()
        for row in zip(batch.tokens_BT.tolist(), batch.targets_BT.tolist(), batch.documents_BT.tolist(), strict=True):
            for number in _samples(row, documents, masks):
                seen[number] += 1
        assert max(seen.values()) - min(seen[n] for n, length in enumerate(lengths) if length > 1) <= 1


def _samples(row, documents, masks) -> list[int]:
    """The samples of a row, each checked token by token against its document and mask."""
    samples = []
    ids = np.array(row[2])
    used = [id_ for id_ in dict.fromkeys(row[2]) if id_ != PADDING]
    assert used == list(range(len(used)))
    assert all(a <= b for a, b in pairwise(row[2]) if b != PADDING)
    assert all(token == 3 and target == IGNORED for token, target, id_ in zip(*row, strict=True) if id_ == PADDING)
    for id_ in used:
        tokens, targets = np.array(row[0])[ids == id_].tolist(), np.array(row[1])[ids == id_].tolist()
        number = (tokens[0] - 10) // 100
        document, mask = documents[number], masks[number]
        assert tokens == document[:-1]
        assert targets == [token if says else IGNORED for token, says in zip(document[1:], mask[1:], strict=True)]
        samples.append(number)
    return samples


@pytest.mark.parametrize("pack", ["stream", "documents"])
def test_a_resumed_loader_goes_on_exactly(pack, make_shards):
    @LOCAL
    @given(LENGTHS, st.integers(11, 15), st.integers(1, 3), st.integers(0, 30), st.integers(1, 20))
    def check(lengths, seq_len, batch_size, before, after):
        shards = make_shards(_numbered([*lengths, 7]))
        loader = Loader(shards, seq_len, batch_size, 5, pack)
        unbroken = _take(loader, before + after)
        first = Loader(shards, seq_len, batch_size, 5, pack)
        assert _take(first, before) == unbroken[:before]
        stored = json.dumps(dataclasses.asdict(first.state()))
        second = Loader(TokenShards.open(shards.folder), seq_len, batch_size, 5, pack)
        _take(second, 2)
        second.restore(LoaderState(**json.loads(stored)))
        assert _take(second, after) == unbroken[before:]
        assert second.state() == loader.state()

    check()


@pytest.mark.parametrize("pack", ["stream", "documents"])
def test_another_batch_size_goes_on_with_the_same_rows(pack, make_shards):
    shards = make_shards(_numbered([5, 9, 2, 7, 12, 3]))
    one, three = Loader(shards, 12, 1, 0, pack), Loader(shards, 12, 3, 0, pack)
    _take(one, 4)
    three.restore(one.state())
    assert three.next().tokens_BT.tolist() == [row["tokens_BT"][0] for row in _take(one, 3)]


@pytest.mark.parametrize("change", [{"seed": 1}, {"seq_len": 9}, {"pack": "documents"}, {"documents": [[1, 2, 3]] * 4}])
def test_a_state_of_another_loader_is_refused(change, make_shards):
    chosen = {"documents": [[1, 2, 3]] * 3, "seq_len": 8, "seed": 0, "pack": "stream"}
    made = []
    for settings_ in (chosen, chosen | change):
        shards = make_shards(settings_["documents"])
        made.append(Loader(shards, settings_["seq_len"], 2, settings_["seed"], settings_["pack"]))
    with pytest.raises(
        ValueError, match="the state to resume is of another loader: pack stream, seq_len 8, seed 0, 3 doc"
    ):
        made[1].restore(made[0].state())


def test_epochs_are_counted_and_differ(make_shards):
    shards = make_shards(_numbered([3] * 16))
    loader = Loader(shards, 4, 1, 0)
    epochs = []
    for epoch in range(3):
        assert loader.epoch == epoch
        epochs.append([row["tokens_BT"][0][1] // 100 for row in _take(loader, 16)])
    assert all(sorted(order) == list(range(16)) for order in epochs)
    assert len({tuple(order) for order in epochs}) == 3


def test_a_sample_longer_than_the_context_is_an_error_or_counted(make_shards):
    shards = make_shards(_numbered([4, 9, 11, 10]), masks=[[True] * n for n in (4, 9, 11, 10)])
    with pytest.raises(
        ShardError, match=r"1 of 4 samples are longer than the context of 9 \(the first is number 2 with 11"
    ):
        Loader(shards, 9, 1, 0, "documents")
    loader = Loader(shards, 9, 1, 0, "documents", too_long="drop")
    assert loader.dropped == 1
    assert {row["tokens_BT"][0][0] // 100 for row in _take(loader, 6)} == {0, 1, 3}
    with pytest.raises(ShardError, match="no sample has from 2 to 3 tokens"):
        Loader(shards, 2, 1, 0, "documents", too_long="drop")


def test_nothing_to_train_on_is_an_error(make_shards):
    for documents in ([], [[], []]):
        with pytest.raises(ShardError, match="holds no tokens: the corpus was empty"):
            Loader(make_shards(documents), 4, 1, 0)


@pytest.mark.parametrize("wrong", [{"seq_len": 0}, {"batch_size": 0}, {"seed": -1}])
def test_impossible_settings_are_refused(wrong, make_shards):
    with pytest.raises(ValueError, match="must be above 0, seed"):
        Loader(make_shards([[1, 2]]), **({"seq_len": 4, "batch_size": 1, "seed": 0} | wrong))


@pytest.mark.parametrize("pack", ["stream", "documents"])
def test_memory_does_not_grow_with_the_documents(pack, make_shards, monkeypatch):
    monkeypatch.undo()
    shards = make_shards([[1, 2]] * 100_000)
    tracemalloc.start()
    loader = Loader(shards, 64, 4, 0, pack)
    _take(loader, 100)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4_000_000
