import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.data.permutation import Permutation


@given(st.integers(1, 3000), st.integers(0, 2**64), st.integers(0, 100))
def test_every_index_comes_once(size, seed, epoch):
    order = Permutation(size, (seed, epoch)).at(0, size)
    assert sorted(order) == list(range(size))


@given(st.integers(1, 500), st.lists(st.integers(0, 600), min_size=2, max_size=2))
def test_any_span_is_a_span_of_the_whole(size, ends):
    start, stop = sorted(ends)
    permutation = Permutation(size, (1,))
    assert permutation.at(start, stop) == permutation.at(0, size)[start:stop]


def test_a_huge_order_costs_nothing_until_asked():
    order = Permutation(10**15, (0, 0)).at(123_456_789_012, 123_456_789_012 + 1000)
    assert len(set(order)) == 1000
    assert 0 <= min(order) < 10**14
    assert 9 * 10**14 < max(order) < 10**15


@pytest.mark.parametrize("size", [10, 64, 1000])
def test_each_index_is_equally_likely_at_each_position(size):
    trials = 4000
    counts = np.zeros((3, 10), int)
    for key in range(trials):
        order = Permutation(size, (key,)).at(0, size)
        for row, position in enumerate((0, 1, size - 1)):
            counts[row, order[position] * 10 // size] += 1
    expected = np.diff(np.ceil(np.arange(11) * size / 10)) / size * trials
    chi_square = ((counts - expected) ** 2 / expected).sum(1)
    assert (chi_square < 33).all()  # 9 degrees of freedom: p = 0.0001


def test_neighbours_do_not_stay_neighbours_and_epochs_differ():
    one, two = (np.array(Permutation(10_000, (0, epoch)).at(0, 10_000)) for epoch in (0, 1))
    for order in (one, two):
        assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.05
        assert (np.abs(np.diff(order)) == 1).mean() < 0.001
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.05


def test_nothing_to_permute_is_refused():
    with pytest.raises(ValueError, match="size 0"):
        Permutation(0, (1,))
