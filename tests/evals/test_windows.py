"""Texts as windows: every token is a target exactly once, and no more is held than a window's worth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.evals.windows import WINDOW, Text, groups

START = 7


@given(st.lists(st.integers(0, 3 * WINDOW), max_size=12))
def test_every_token_is_a_target_once_and_groups_are_small(lengths: list[int]) -> None:
    texts = [Text(list(range(10, 10 + length)), 0) for length in lengths]
    found = list(groups(texts, START))
    assert all(sum(len(window.inputs) for window in group) <= WINDOW for group in found)
    windows = [window for group in found for window in group]
    assert all(len(window.inputs) == len(window.targets) == len(window.measured) for window in windows)
    assert [target for window in windows for target in window.targets] == [id_ for text in texts for id_ in text.ids]


def test_a_long_text_goes_on_behind_its_last_token() -> None:
    ids = list(range(100, 100 + WINDOW + 2))
    (first,), (second,) = groups([Text(ids, 0)], START)
    assert first.inputs == [START, *ids[: WINDOW - 1]]
    assert second.inputs == [ids[WINDOW - 1], ids[WINDOW]]
    assert second.targets == ids[WINDOW:]


def test_what_is_measured_follows_its_token() -> None:
    ((window,),) = groups([Text([5, 6, 8], 0, [False, True, False])], START)
    assert [target for target, counts in zip(window.targets, window.measured, strict=True) if counts] == [6]


@pytest.mark.parametrize("texts", [[], [Text([], 0)]])
def test_nothing_gives_nothing(texts: list[Text]) -> None:
    assert list(groups(texts, START)) == []
