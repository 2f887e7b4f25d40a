import math

import pytest

from axk1.evals.interval import Share


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (1, 29, 0.0061, 0.1718)],
)  # fmt: skip
def test_known_intervals(right: int, total: int, low: float, high: float) -> None:
    """Published examples of the score interval (the last: Brown, Cai and DasGupta 2001; Newcombe 1998)."""
    assert Share(right, total).interval == pytest.approx((low, high), abs=5e-5)


def test_the_ends_are_where_the_share_is_just_not_surprising() -> None:
    """Wilson's definition: |share - p| is 1.96 deviations of a binomial with that p."""
    for right, total in ((3, 50), (25, 50), (49, 50), (400, 1000)):
        share = Share(right, total)
        for p in share.interval:
            assert abs(share.value - p) / math.sqrt(p * (1 - p) / total) == pytest.approx(1.96, abs=1e-3)


@pytest.mark.parametrize("p", [0.02, 0.1, 0.36, 0.5, 0.77, 0.95])
def test_it_covers_the_truth_about_95_times_in_100(p: float) -> None:
    total = 50
    covered = 0.0
    for right in range(total + 1):
        low, high = Share(right, total).interval
        chance = math.comb(total, right) * p**right * (1 - p) ** (total - right)
        covered += chance if low <= p <= high else 0
    assert 0.92 < covered < 0.99


@pytest.mark.parametrize("total", [1, 7, 50, 1000])
def test_it_holds_the_share_and_stays_within_0_and_1(total: int) -> None:
    for right in range(total + 1):
        low, high = Share(right, total).interval
        assert 0 <= low <= right / total <= high <= 1
        assert high > low


@pytest.mark.parametrize(("right", "total"), [(0, 0), (2, 1), (-1, 4)])
def test_what_is_no_share(right: int, total: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        Share(right, total)
