import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.corpus.dedup.minhash import SLOTS, Bands, bands_for, signature, similarity
from axk1.corpus.dedup.shingles import letters, ngram_hashes

CODES = st.lists(st.integers(1, 5), max_size=40).map(lambda values: np.array(values, np.uint32))


def test_letters_are_without_spaces_and_punctuation_and_know_their_places():
    text = " 「대한민국」은\n민주 공화국(A)이다. é"
    found = letters(text)
    assert "".join(map(chr, found.codes)) == "대한민국은민주공화국a이다é"
    assert all(text[place].lower() == chr(code) for place, code in zip(found.places, found.codes, strict=True))


def test_letters_beyond_the_first_plane_count_and_emoji_do_not():
    assert "".join(map(chr, letters("𠮷😀野").codes)) == "𠮷野"


@given(CODES, st.integers(1, 45))
def test_equal_runs_and_only_those_have_equal_hashes(codes, n):
    hashes = ngram_hashes(codes, n)
    n = min(n, len(codes))
    runs = [tuple(codes[start : start + n].tolist()) for start in range(len(codes) - n + 1)] if n else []
    assert len(hashes) == len(runs)
    assert len(set(hashes.tolist())) == len(set(runs))
    assert all(runs.index(run) == hashes.tolist().index(one) for run, one in zip(runs, hashes, strict=True))


@pytest.mark.parametrize("size", [40, 300, 5000])
@pytest.mark.parametrize("jaccard", [0.3, 0.6, 0.8, 0.95])
def test_similarity_estimates_the_jaccard_similarity_without_bias(size, jaccard):
    rng = np.random.default_rng(0)
    shared = round(size * jaccard)
    estimates = []
    for _ in range(60):
        hashes = rng.integers(0, 2**64, 2 * size - shared, dtype=np.uint64)
        one, other = hashes[:size], hashes[size - shared :]
        estimates.append(similarity(signature(one), signature(other)))
    true = shared / (2 * size - shared)
    spread = (true * (1 - true) * (1 / SLOTS + 1 / size)) ** 0.5  # slots that borrow say nothing new
    assert abs(np.mean(estimates) - true) < 4 * spread / 60**0.5 + 0.005
    assert np.std(estimates) < 1.6 * spread


def test_the_s_curve_is_what_bands_do():
    rng, bands, size = np.random.default_rng(1), Bands(16, 7), 400
    for shared in (280, 340, 380):
        met = 0
        for _ in range(200):
            hashes = rng.integers(0, 2**64, 2 * size - shared, dtype=np.uint64)
            one, other = (bands.digests(signature(part)) for part in (hashes[:size], hashes[size - shared :]))
            met += any(a == b for a, b in zip(one, other, strict=True))
        expected = bands.probability(shared / (2 * size - shared))
        assert abs(met / 200 - expected) < 4 * (expected * (1 - expected) / 200) ** 0.5 + 0.03


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 1.0])
def test_bands_find_95_percent_at_the_threshold_and_few_below(threshold):
    bands = bands_for(threshold)
    assert bands.bands * bands.rows <= SLOTS
    assert bands.probability(threshold) >= 0.95
    if bands.rows * bands.bands < SLOTS:
        assert Bands(bands.bands, bands.rows + 1).probability(threshold) < 0.95


def test_one_shingle_fills_all_slots():
    rng = random.Random(0)
    one, other = (np.array([rng.getrandbits(64)], np.uint64) for _ in range(2))
    assert similarity(signature(one), signature(one)) == 1
    assert similarity(signature(one), signature(other)) < 0.1
