"""The arithmetic of limits, by properties."""

from hypothesis import given
from hypothesis import strategies as st

from axk1.server.tenancy.limits import Limits, Standing, windows

NOW = 1_764_244_800.0

steps = st.lists(
    st.tuples(
        st.floats(0, 90, allow_nan=False),  # seconds that pass
        st.integers(0, 400),  # the most that the request may use
        st.integers(0, 400),  # what it does use, cut to that
    ),
    max_size=60,
)


@given(steps, st.integers(0, 2000))
def test_spent_tokens_never_exceed_a_quota(asked: list[tuple[float, int, int]], quota: int) -> None:
    standing, now, used = Standing(Limits(tokens_total=quota)), NOW, 0
    for wait, most, really in asked:
        now += wait
        if standing.refusal(most, now) is None:
            standing.take(most, now)
            used += min(most, really)
            assert standing.spent["total"] <= quota
            standing.add(min(most, really) - most, now)
    assert standing.spent.get("total", 0) == used <= quota


@given(steps, st.integers(1, 50))
def test_a_rate_lets_a_minute_s_worth_through_beside_what_flows_in(
    asked: list[tuple[float, int, int]], rate: int
) -> None:
    standing, now, times = Standing(Limits(requests_per_minute=rate)), NOW, []
    for wait, _, _ in asked:
        now += wait / 30
        if standing.refusal(0, now) is None:
            standing.take(0, now)
            times.append(now)
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= rate + (times[last] - times[first]) * rate / 60 + 1e-6


@given(steps, st.integers(1, 1000))
def test_waiting_as_told_is_enough(asked: list[tuple[float, int, int]], rate: int) -> None:
    standing, now = Standing(Limits(tokens_per_minute=rate)), NOW
    for wait, most, _ in asked:
        now += wait
        refused = standing.refusal(most, now)
        if refused:
            assert (refused.seconds is None) == (max(most, 1) > rate)
            if refused.seconds is not None:
                assert standing.refusal(most, now + refused.seconds + 1e-3) is None
                now += refused.seconds + 1e-3
        else:
            standing.take(most, now)


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 8))
def test_no_more_are_under_way_than_may_be(asked: list[bool], most: int) -> None:
    standing = Standing(Limits(at_once=most))
    for begins in asked:
        if begins and standing.refusal(0, NOW) is None:
            standing.take(0, NOW)
        elif not begins and standing.under_way:
            standing.under_way -= 1
        assert 0 <= standing.under_way <= most


def test_windows_are_those_of_utc() -> None:
    assert windows(NOW) == ("total", "2025-11", "2025-11-27")


def test_a_quota_says_when_the_window_ends() -> None:
    standing = Standing(Limits(tokens_per_day=1, tokens_per_month=5), spent={"2025-11-27": 1, "2025-11": 1})
    refused = standing.refusal(1, NOW)
    assert refused
    assert (refused.what, refused.seconds, refused.quota) == ("tokens per day", 12 * 3600, True)


def test_a_clock_that_goes_back_fills_nothing() -> None:
    standing = Standing(Limits(requests_per_minute=1))
    assert standing.refusal(0, NOW) is None
    standing.take(0, NOW)
    assert standing.refusal(0, NOW - 3600) is not None
    assert standing.refusal(0, NOW) is not None
