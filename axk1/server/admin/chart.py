"""Usage by day as bars: only arithmetic; the template draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from axk1.server.admin.office import UsageDay

__all__ = ["Bar", "Chart", "Tick", "chart"]

WIDTH, HEIGHT = 720.0, 220.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 60.0, 16.0, 12.0, 28.0


@dataclass(frozen=True)
class Bar:
    """A day: `prompt` and `completion` are heights, the second on the first; `y` is the top of both."""

    day: UsageDay
    x: float
    width: float
    y: float
    prompt: float
    completion: float
    label: str  # under some of them, else ""


@dataclass(frozen=True)
class Tick:
    """A line across, at a round number of tokens."""

    y: float
    label: str


@dataclass(frozen=True)
class Chart:
    """Bars for each day, those without use too."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    requests: int
    tokens: int
    width: float = WIDTH
    height: float = HEIGHT
    base: float = HEIGHT - _BOTTOM
    left: float = _LEFT


def chart(days: Sequence[UsageDay], last: date, count: int) -> Chart:
    """The `count` days up to `last`."""
    known = {one.day: one for one in days}
    dates = [last - timedelta(days=count - 1 - place) for place in range(count)]
    shown = [known.get(day, UsageDay(day, 0, 0, 0)) for day in dates]
    step = _step(max(one.prompt + one.completion for one in shown))
    most = step * 4
    scale = (HEIGHT - _TOP - _BOTTOM) / most
    slot = (WIDTH - _LEFT - _RIGHT) / count
    bars = []
    for place, one in enumerate(shown):
        height = (one.prompt + one.completion) * scale
        label = f"{one.day.month}/{one.day.day}" if (count - 1 - place) % 7 == 0 else ""
        x, width = _LEFT + slot * (place + 0.15), slot * 0.7
        bars.append(Bar(one, x, width, HEIGHT - _BOTTOM - height, one.prompt * scale, one.completion * scale, label))
    ticks = tuple(Tick(HEIGHT - _BOTTOM - step * n * scale, short(step * n)) for n in range(5))
    tokens = sum(one.prompt + one.completion for one in shown)
    return Chart(tuple(bars), ticks, sum(one.requests for one in shown), tokens)


def short(count: int) -> str:
    """1500 -> 1.5K, so that an axis has room for it."""
    for size, letter in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return str(count)


def _step(most: int) -> int:
    """A round number of which four reach `most`."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if factor * size * 4 >= most:
                return factor * size
        size *= 10
