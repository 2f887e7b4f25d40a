import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.data.pack import best_fit


def _by_search(lengths: list[int], capacity: int) -> list[list[int]]:
    """Best fit decreasing, written as its definition."""
    rows: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        rooms = [capacity - sum(lengths[i] for i in row) for row in rows]
        fitting = [room for room in rooms if room >= lengths[index]]
        if fitting:
            rows[rooms.index(min(fitting))].append(index)
        else:
            rows.append([index])
    return rows


@given(st.integers(1, 40).flatmap(lambda c: st.tuples(st.just(c), st.lists(st.integers(1, c), max_size=60))))
def test_it_is_best_fit_decreasing(case):
    capacity, lengths = case
    rows = best_fit(lengths, capacity)
    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in row) <= capacity for row in rows)
    oracle = _by_search(lengths, capacity)
    assert sorted(sum(lengths[i] for i in row) for row in rows) == sorted(
        sum(lengths[i] for i in row) for row in oracle
    )


def test_conversations_fill_their_rows():
    rng = random.Random(0)
    lengths = [min(512, int(rng.lognormvariate(4.5, 0.6))) for _ in range(4096)]
    assert len(best_fit(lengths, 512)) <= 1.01 * math.ceil(sum(lengths) / 512)


@pytest.mark.parametrize("length", [0, 6])
def test_a_length_that_does_not_fit_is_refused(length):
    with pytest.raises(ValueError, match=f"sample 1 has {length} tokens; a row takes 1 to 5"):
        best_fit([3, length], 5)
