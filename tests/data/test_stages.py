"""Stages of pre-training: shares, order, resume, and that nothing changes without them."""

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axk1.data.loader import Loader, LoaderState
from axk1.data.rows import Place, StreamRows
from axk1.data.shards import ShardError, ShardWriter, TokenShards
from axk1.data.stages import Stage, StagedRows, source_use

LOCAL = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
NAMES = ("law", "news", "prose")
TWO = (Stage(0.75, {"law": 3, "news": 1}), Stage(0.25, {"prose": 1, "law": 1, "news": 0}))


@pytest.fixture
def shards(tmp_path) -> TokenShards:
    """Three sources of 40, 20 and 6 documents; the tokens of the first are 1000 and up, of the second 2000 and up …"""
    rng = np.random.default_rng(0)
    with ShardWriter(tmp_path / "shards", 65536) as writer:
        for number, (name, count) in enumerate(zip(NAMES, (40, 20, 6), strict=True), start=1):
            for _ in range(count):
                writer.add(1000 * number + rng.integers(0, 999, int(rng.integers(1, 30))), text_bytes=1, source=name)
    return TokenShards.open(tmp_path / "shards")


def loader(shards: TokenShards, batch_size: int = 4, rows: int = 400, seed: int = 0, stages=TWO) -> Loader:
    return Loader(shards, 16, batch_size, seed, stages=stages, rows=rows)


def sources_of(batch) -> list[str]:
    """The source of each row, which has no token of another."""
    found = []
    for row in batch.tokens_BT.tolist():
        (one,) = {token // 1000 for token in row if token}
        found.append(NAMES[one - 1])
    return found


def test_each_stage_has_its_sources_in_their_shares(shards):
    made = loader(shards)
    drawn = [name for _ in range(100) for name in sources_of(made.next())]
    first, second = Counter(drawn[:300]), Counter(drawn[300:])
    assert first["law"] == pytest.approx(225, abs=3)
    assert first["news"] == pytest.approx(75, abs=3)
    assert second["law"] == pytest.approx(50, abs=3)
    assert second["prose"] == pytest.approx(50, abs=3)
    assert first["prose"] == second["news"] == 0
    assert Counter(name for _ in range(25) for name in sources_of(made.next())).keys() == {"law", "prose"}  # endless


@LOCAL
@given(st.lists(st.integers(1, 100), min_size=2, max_size=3), st.integers(0, 5000), st.integers(20, 200))
def test_any_run_of_rows_holds_the_shares(shards, weights, start, count):
    """Not only the whole stage: no source is bunched."""
    stage = Stage(1.0, dict(zip(NAMES, weights, strict=False)))
    rows = StagedRows(shards, 16, 0, 0, [stage], 10_000)
    drawn = Counter(rows.source_at(row) for row in range(start, start + count))
    for name, share in stage.shares.items():
        assert abs(drawn[name] - share * count) <= 4


def test_a_source_is_read_as_it_would_be_alone(shards):
    """Its rows, one after the other over the stages, are its own stream: documents whole, in epochs, none skipped."""
    made = loader(shards)
    tokens = {name: list[int]() for name in NAMES}
    for _ in range(100):
        batch = made.next()
        for name, row in zip(sources_of(batch), batch.tokens_BT.tolist(), strict=True):
            tokens[name] += row
    for name, span in shards.sources.items():
        stream, place, expected = StreamRows(shards, 16, 0, 0, span), Place(), list[int]()
        while len(expected) < len(tokens[name]):
            row, place = stream.row(place)
            expected += row.tokens.tolist()
        assert tokens[name] == expected
        documents = [shards.document(index).tolist() for index in span]
        there = sum(len(one) + 1 for one in documents)
        first_epoch = [token for token in expected[:there] if token]
        assert sorted(first_epoch) == sorted(token for one in documents for token in one)


@pytest.mark.parametrize("stop", [1, 40, 74, 75, 76, 99, 120])
def test_a_resumed_loader_goes_on_exactly(shards, stop):
    """Inside a stage, at the border (batch 75) and past the last stage."""
    unbroken = loader(shards)
    expected = [unbroken.next() for _ in range(130)]
    first = loader(shards)
    for _ in range(stop):
        first.next()
    stored = json.loads(json.dumps(dataclasses.asdict(first.state())))
    stored["sources"] = tuple(Place(**{**one, "sources": ()}) for one in stored["sources"])
    second = loader(TokenShards.open(shards.folder))
    second.restore(LoaderState(**stored))
    for batch in expected[stop:]:
        again = second.next()
        assert again.tokens_BT.equal(batch.tokens_BT)
        assert again.targets_BT.equal(batch.targets_BT)
    assert second.state() == unbroken.state()


def test_the_rows_do_not_depend_on_the_batch_size(shards):
    one, other = loader(shards, batch_size=4), loader(shards, batch_size=10)
    rows = [row for _ in range(100) for row in one.next().tokens_BT.tolist()]
    assert [row for _ in range(40) for row in other.next().tokens_BT.tolist()] == rows


def test_a_seed_is_an_order_of_documents(shards):
    same, again, other = loader(shards), loader(shards), loader(shards, seed=1)
    batches = [one.next() for one in (same, again, other)]
    assert batches[0].tokens_BT.equal(batches[1].tokens_BT)
    assert not batches[0].tokens_BT.equal(batches[2].tokens_BT)
    assert sources_of(batches[0]) == sources_of(batches[2])


def test_other_stages_refuse_the_state(shards):
    state = loader(shards).state()
    with pytest.raises(ValueError, match="another loader"):
        loader(shards, stages=(Stage(1.0, {"law": 1}),)).restore(state)
    with pytest.raises(ValueError, match="another loader"):
        loader(shards, rows=800).restore(state)
    with pytest.raises(ValueError, match="another loader"):
        Loader(shards, 16, 4, 0).restore(state)


def test_without_stages_the_sources_change_nothing(shards, make_shards):
    """The same documents in shards that know no sources, as older ones do not: the same batches and state."""
    documents = [shards.document(index).tolist() for index in range(len(shards))]
    plain, named = Loader(make_shards(documents), 16, 4, 7), Loader(shards, 16, 4, 7)
    for _ in range(60):
        assert plain.next().tokens_BT.equal(named.next().tokens_BT)
    assert plain.state() == named.state()


def test_what_a_run_reads_of_each_source(shards):
    use = source_use(TWO, 6400, shards)
    law = shards.tokens_in(shards.sources["law"]) + 40
    assert use["law"].tokens == law
    assert use["law"].epochs == pytest.approx((0.75 * 0.75 + 0.25 * 0.5) * 6400 / law)
    assert use["news"].epochs == pytest.approx(0.75 * 0.25 * 6400 / use["news"].tokens)
    made = loader(shards)  # 400 rows of 16 tokens
    for _ in range(100):
        made.next()
    for place, one in zip(made.state().sources, use.values(), strict=True):
        assert place.epoch == pytest.approx(one.epochs, abs=1)


def test_unknown_and_empty_sources_are_errors(shards, make_shards):
    with pytest.raises(ShardError, match=r"no source is called 'poems'.*law, news, prose"):
        loader(shards, stages=(Stage(1.0, {"poems": 1}),))
    with pytest.raises(ShardError, match="make the stage `data` again"):
        loader(make_shards([[1, 2]]))


@pytest.mark.parametrize(
    ("share", "weights", "message"),
    [
        (0, {"a": 1}, "share"),
        (1.1, {"a": 1}, "share"),
        (1, {}, "weights"),
        (1, {"a": 0}, "weights"),
        (1, {"a": -1, "b": 2}, "weights"),
    ],
)
def test_a_stage_that_says_nothing_is_an_error(share, weights, message):
    with pytest.raises(ValueError, match=message):
        Stage(share, weights)


def test_a_source_that_comes_back_is_an_error(tmp_path):
    with ShardWriter(tmp_path / "s", 100) as writer:
        writer.add([1], source="a")
        writer.add([1], source="b")
        with pytest.raises(ShardError, match="'a' had ended"):
            writer.add([1], source="a")
