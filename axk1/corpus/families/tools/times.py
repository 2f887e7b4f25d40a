"""Times of day as people say them and as a tool takes them: 오후 3시 반 → 15:30."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Side
from axk1.corpus.korean import Noun, clock
from axk1.corpus.lexicon import compose

_HOURS = tuple(f"{hour:02}" for hour in range(5, 24))
_MINUTES = ("00", "00", "30", *(f"{minute:02}" for minute in range(0, 60, 5)))
_DAYTIME = (  # first hour, how it is called besides 오전 and 오후
    (5, "새벽"),
    (6, "아침"),
    (10, "오전"),
    (12, "낮"),
    (13, "오후"),
    (18, "저녁"),
    (21, "밤"),
)


def clock_time(rng: random.Random, side: Side) -> tuple[Noun, str]:
    """A time on `side`, spoken and in canonical form (HH:MM)."""
    time = str(compose(rng, side, _HOURS, _MINUTES, joiner=":"))
    return Noun(spoken(rng, int(time[:2]), int(time[3:]))), time


def spoken(rng: random.Random, hour: int, minute: int) -> str:
    """15, 30 → 오후 3시 30분 or 오후 3시 반."""
    name = [word for first, word in _DAYTIME if first <= hour][-1]
    if rng.random() < 0.6:
        name = "오전" if hour < 12 else "오후"
    shown = (hour - 1) % 12 + 1
    if minute == 30 and rng.random() < 0.3:
        return f"{name} {shown}시 반"
    return f"{name} {clock(shown, minute)}"
