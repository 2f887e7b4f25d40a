import random
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.corpus.dedup import digests
from axk1.corpus.dedup.digests import DigestMap, DigestSet
from axk1.corpus.dedup.exact import ExactDedup
from axk1.corpus.documents import Document

TEXTS = st.lists(st.text(st.sampled_from("가각 a\n"), max_size=4), max_size=30)


def _digests(size: int) -> list[bytes]:
    rng = random.Random(0)
    return [bytes(size)] + [blake2b(rng.randbytes(2), digest_size=size).digest() for _ in range(5000)]


@pytest.fixture(params=[1 << 10, 1 << 30], ids=["in a file from the start", "in memory"])
def memory(request, monkeypatch):
    monkeypatch.setattr(digests, "_FIRST_SLOTS", 16)
    return request.param


def test_a_digest_set_is_a_set(memory):
    table, oracle = DigestSet(memory), set[bytes]()
    for digest in _digests(16):
        assert table.add(digest) == (digest not in oracle)
        oracle.add(digest)
    assert len(table) == len(oracle)
    assert not any(table.add(digest) for digest in oracle)


def test_a_digest_map_is_a_dictionary(memory):
    table, oracle = DigestMap(memory), dict[bytes, int]()
    for number, digest in enumerate(_digests(10)):
        assert table.get(digest) == oracle.get(digest)
        if number % 2:
            table.add(digest, number << 30)
            oracle.setdefault(digest, number << 30)
        else:
            assert table.exchange(digest, number) == oracle.get(digest)
            oracle[digest] = number
    assert len(table) == len(oracle)
    assert all(table.get(digest) == number for digest, number in oracle.items())


def test_a_digest_takes_at_most_48_bytes(monkeypatch):
    monkeypatch.setattr(digests, "_FIRST_SLOTS", 16)
    table = DigestSet(1 << 30)
    for n in range(20_000):
        table.add(blake2b(n.to_bytes(4, "little"), digest_size=16).digest())
        assert 24 * len(table) <= len(table._slots._table) <= max(48 * (len(table) + 1), 16 * 16)


@given(TEXTS, TEXTS)
def test_exact_dedup_keeps_the_first_of_each_text_across_sources(first, second):
    step = ExactDedup()
    kept = [
        document.text
        for texts in (first, second)
        for document in step(iter([Document(text, "", "") for text in texts]), lambda _document, _reason: None)
    ]
    assert kept == list(dict.fromkeys(first + second))
