import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.corpus.classifier.features import FeatureSettings, features_of

WIDE = FeatureSettings(bits=22)  # so wide that the runs of a short text do not meet
TEXTS = st.text(alphabet="가나ab1 \n\u3000.😀", max_size=40)


def rows(texts, settings=WIDE):
    features = features_of(texts, settings)
    bounds = zip(features.starts[:-1], features.starts[1:], strict=True)
    return [dict(zip(features.places[a:b].tolist(), features.values[a:b].tolist(), strict=True)) for a, b in bounds]


def values_by_hand(text, settings=WIDE):
    """The same, run by run: what the vectorised code must count."""
    folded = " ".join("".join("0" if one.isdigit() else one.lower() for one in text).split())
    if not folded:
        return []
    spaced, words = f" {folded} ", folded.split(" ")
    runs = Counter(
        ("characters", spaced[at : at + length])
        for length in range(settings.shortest, settings.longest + 1)
        for at in range(len(spaced) - length + 1)
        if spaced[at : at + length] != " "
    )
    runs.update(
        ("eojeols", tuple(words[at : at + count]))
        for count in range(1, settings.eojeols + 1)
        for at in range(len(words) - count + 1)
    )
    values = [1 + math.log(count) for count in runs.values()]
    length = math.hypot(*values)
    return sorted(value / length for value in values)


@given(TEXTS)
def test_the_runs_are_those_counted_by_hand(text):
    (row,) = rows([text])
    assert sorted(row.values()) == pytest.approx(values_by_hand(text), abs=1e-6)


@given(st.lists(TEXTS, max_size=6))
def test_a_row_does_not_depend_on_its_neighbours(texts):
    assert rows(texts) == [rows([text])[0] for text in texts]


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ab 12", "aB 99"), ("가  나\n\t다", "가 나 다"), ("  가 ", "가"), ("가\u200b나", "가 나")],
)
def test_what_counts_as_the_same(one, other):
    assert rows([one]) == rows([other])


@pytest.mark.parametrize(("one", "other"), [("가나", "나가"), ("가 나", "가나"), ("가", "가."), ("집", "집 집")])
def test_what_does_not(one, other):
    assert rows([one]) != rows([other])


@given(st.lists(TEXTS, max_size=4))
def test_rows_have_length_one_and_ascending_places(texts):
    features = features_of(texts, FeatureSettings(bits=8))
    for a, b in zip(features.starts[:-1], features.starts[1:], strict=True):
        assert (np.diff(features.places[a:b]) > 0).all()
        assert a == b or np.linalg.norm(features.values[a:b]) == pytest.approx(1, abs=1e-5)


def test_a_character_beyond_the_known_planes_and_half_a_surrogate_are_counted():
    assert len(rows(["\U000e0001\U0010ffff\ud800"])[0]) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [({"shortest": 3, "longest": 2}, "shortest"), ({"eojeols": 4}, "eojeols"), ({"bits": 30}, "bits")],
)
def test_settings_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        FeatureSettings(**options)
