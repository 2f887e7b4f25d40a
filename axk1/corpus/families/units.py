"""Units of length, mass, volume and time, from one to another, and the clock a while later."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from axk1.corpus.exercise import Exercise, Family, Side, number
from axk1.corpus.families.operands import choose, draw, keys
from axk1.corpus.families.results import last_number, same_answer
from axk1.corpus.families.steps import add, multiply, subtract
from axk1.corpus.korean import UNIT_READINGS, Noun, clock, particle


@dataclass(frozen=True)
class _Pair:
    """A large unit and the small one of which it holds `factor`."""

    large: str
    small: str
    factor: int
    least: int  # of the small unit beside the large one
    most: int


_DECIMAL = (
    _Pair("km", "m", 1000, 100, 999),
    _Pair("kg", "g", 1000, 100, 999),
    _Pair("L", "mL", 1000, 100, 999),
    _Pair("m", "cm", 100, 10, 99),
    _Pair("cm", "mm", 10, 1, 9),
)
_TIMES = (_Pair("시간", "분", 60, 1, 59), _Pair("분", "초", 60, 1, 59))
_TO_SMALL = (
    "{given:은} 몇 {small_is}?",
    "{given:을} {small_to} 바꿔 줘.",
    "{given:은} 모두 몇 {small}인지 알려 주세요.",
)
_TO_BOTH = ("{given:은} 몇 {large} 몇 {small_is}?", "{given:을} {large_and} {small_to} 나타내 줘.")
_LATER = (
    "지금은 {time:이에요}. {minutes}분 뒤는 몇 시 몇 분이에요?",
    "{time}에서 {minutes}분이 지나면 몇 시 몇 분인가요?",
    "{time}에 출발해서 {minutes}분 걸리면 몇 시 몇 분에 도착하나요?",
)


def _compound(rng: random.Random, side: Side, pair: _Pair) -> tuple[int, int]:
    return number(rng, 1, 3 if pair.factor == 60 else 40, side), number(rng, pair.least, pair.most, side)


def _exercise(question: str, reasoning: str, answer: str, all_keys: tuple[str, ...]) -> Exercise:
    return Exercise("units", "ko", question, reasoning, f"{Noun(answer):이에요}.", keys=all_keys)


def _ask(rng: random.Random, questions: tuple[str, ...], given: str, pair: _Pair) -> str:
    units = {
        "large": pair.large,
        "small": pair.small,
        "small_is": _unit(pair.small, "이에요/예요"),
        "small_to": _unit(pair.small, "으로/로"),
        "large_and": _unit(pair.large, "과/와"),
    }
    return choose(rng, questions).format(given=Noun(given), **units)


def _unit(symbol: str, pair: str) -> str:
    """A unit and its particle: m is read 미터 here, not as the letter."""
    return symbol + particle(UNIT_READINGS.get(symbol, symbol), pair)


def _to_small(rng: random.Random, side: Side) -> Exercise:
    """3km 250m → m, 2시간 35분 → 분."""
    pair = rng.choice(_DECIMAL + _TIMES)
    label = f"{pair.large} {pair.small}"
    a, b = draw(rng, side, label, lambda rng, side: _compound(rng, side, pair))
    whole = a * pair.factor
    put_together = add(whole, b) if pair in _TIMES else f"{whole}+{b}={whole + b}"
    question = _ask(rng, _TO_SMALL, f"{a}{pair.large} {b}{pair.small}", pair)
    return _exercise(
        question, f"{a}×{pair.factor}={whole}, {put_together}", f"{whole + b}{pair.small}", keys(label, (a, b))
    )


def _to_both(rng: random.Random, side: Side) -> Exercise:
    """3250m → km and m, 155분 → 시간 and 분."""
    pair = rng.choice(_DECIMAL + _TIMES)
    label = f"{pair.small} {pair.large}"
    most = 199 if pair in _TIMES else 12 * pair.factor
    (total,) = draw(
        rng, side, label, lambda rng, side: _not_whole(number(rng, pair.factor + 1, most, side), pair.factor)
    )
    large, small = divmod(total, pair.factor)
    whole = large * pair.factor
    rest = subtract(total, whole) if pair in _TIMES else f"{total}-{whole}={small}"
    question = _ask(rng, _TO_BOTH, f"{total}{pair.small}", pair)
    answer = f"{large}{pair.large} {small}{pair.small}"
    return _exercise(question, f"{large}×{pair.factor}={whole}, {rest}", answer, keys(label, (total,)))


def _not_whole(total: int, factor: int) -> tuple[int, ...]:
    return (total,) if total % factor else ()


def _whole(rng: random.Random, side: Side) -> Exercise:
    """7kg → g, 5시간 → 분."""
    pair = rng.choice(_DECIMAL + _TIMES)
    label = f"{pair.large} → {pair.small}"
    most = 9 if pair in _TIMES else 99
    (a,) = draw(rng, side, label, lambda rng, side: (number(rng, 2, most, side),))
    product = multiply(a, pair.factor) if pair in _TIMES else f"{a}×{pair.factor}={a * pair.factor}"
    question = _ask(rng, _TO_SMALL, f"{a}{pair.large}", pair)
    return _exercise(question, product, f"{a * pair.factor}{pair.small}", keys(label, (a,)))


def _later(rng: random.Random, side: Side) -> Exercise:
    """The clock some minutes later: 3시 40분, 35분 뒤."""
    hour, minute, minutes = draw(rng, side, "clock", _times)
    reasoning = add(minute, minutes)
    end_hour, end = hour + (minute + minutes) // 60, (minute + minutes) % 60
    if end_hour > hour:
        reasoning += f", {subtract(minute + minutes, 60)}, {add(hour, 1)}"
    question = choose(rng, _LATER).format(time=Noun(clock(hour, minute)), minutes=minutes)
    return _exercise(question, reasoning, clock(end_hour, end), keys("clock", (hour, minute, minutes)))


def _times(rng: random.Random, side: Side) -> tuple[int, ...]:
    hour, minute, minutes = number(rng, 1, 11, side), number(rng, 1, 59, side), number(rng, 5, 59, side)
    return (hour, minute, minutes) if (minute + minutes) % 60 else ()


_MAKERS: tuple[Callable[[random.Random, Side], Exercise], ...] = (_to_small, _to_both, _whole, _later)


def make(rng: random.Random, side: Side) -> Exercise:
    """One change of units, or the clock some minutes later."""
    return rng.choice(_MAKERS)(rng, side)


FAMILY = Family("units", "단위와 시각", "units and the clock", make, same_answer, last_number)
