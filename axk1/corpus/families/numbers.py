"""Numbers in digits and in words: Sino-Korean (삼천사백오) and native (스물일곱)."""

from __future__ import annotations

import random
from collections.abc import Callable

from axk1.corpus.exercise import Attempt, Exercise, Family, Side, number
from axk1.corpus.families.operands import choose, draw, keys
from axk1.corpus.families.results import same_answer
from axk1.corpus.korean import Noun, native, sino

_TO_SINO = ("{n:을} 한글로 써 줘.", "{n:을} 한글로 적으면?", "숫자 {n:을} 한글로 읽어 주세요.")
_TO_SINO_TENS = ("{n:을} 한자어 수로 읽으면?", "{n:을} 한자어 수로 써 줘.")
_TO_NATIVE = ("{n:을} 고유어 수로 읽으면?", "{n:을} 고유어 수로 써 줘.")
_TO_DIGITS = ("{w:을} 숫자로 써 줘.", "{w:을} 숫자로 적으면?", "{w:은} 숫자로 어떻게 쓰나요?")


def pieces(value: int) -> list[tuple[int, str]]:
    """The places of a number with their Sino-Korean readings: 12300 → 10000 만, 2000 이천, 300 삼백."""
    digits = str(value)
    places = [int(digit) * 10 ** (len(digits) - 1 - at) for at, digit in enumerate(digits)]
    return [(place, sino(place)) for place in places if place]


def native_pieces(value: int) -> list[tuple[int, str]]:
    """Tens and ones with their native readings: 27 → 20 스물, 7 일곱."""
    return [(place, native(place)) for place in (value - value % 10, value % 10) if place]


def _read(parts: list[tuple[int, str]]) -> str:
    return ", ".join(f"{place} {reading}" for place, reading in parts)


def _written(parts: list[tuple[int, str]]) -> str:
    return ", ".join(f"{reading} {place}" for place, reading in parts)


def _exercise(question: str, reasoning: str, answer: str, all_keys: tuple[str, ...]) -> Exercise:
    return Exercise("numbers", "ko", question, reasoning, answer, keys=all_keys)


def _value(rng: random.Random, side: Side) -> int:
    """A number whose length is drawn first: from 3 to 5 digits."""
    low = rng.choice((100, 1000, 1000, 10000))
    (value,) = draw(rng, side, "sino", lambda rng, side: (number(rng, low, 10 * low - 1, side),))
    return value


def _small(rng: random.Random, side: Side, label: str) -> int:
    (value,) = draw(rng, side, label, lambda rng, side: (number(rng, 1, 99, side),))
    return value


def _to_sino(rng: random.Random, side: Side) -> Exercise:
    value = _value(rng, side)
    question = choose(rng, _TO_SINO).format(n=Noun(rng.choice((value, f"{value:,}"))))
    return _exercise(question, _read(pieces(value)), sino(value), keys("sino", (value,)))


def _from_sino(rng: random.Random, side: Side) -> Exercise:
    value = _value(rng, side)
    question = choose(rng, _TO_DIGITS).format(w=Noun(sino(value)))
    return _exercise(question, _written(pieces(value)), str(value), keys("sino", (value,)))


def _to_sino_tens(rng: random.Random, side: Side) -> Exercise:
    value = _small(rng, side, "sino")
    question = choose(rng, _TO_SINO_TENS).format(n=Noun(value))
    return _exercise(question, _read(pieces(value)), sino(value), keys("sino", (value,)))


def _to_native(rng: random.Random, side: Side) -> Exercise:
    value = _small(rng, side, "native")
    question = choose(rng, _TO_NATIVE).format(n=Noun(value))
    return _exercise(question, _read(native_pieces(value)), native(value), keys("native", (value,)))


def _from_native(rng: random.Random, side: Side) -> Exercise:
    value = _small(rng, side, "native")
    question = choose(rng, _TO_DIGITS).format(w=Noun(native(value)))
    return _exercise(question, _written(native_pieces(value)), str(value), keys("native", (value,)))


_MAKERS: tuple[Callable[[random.Random, Side], Exercise], ...] = (
    _to_sino,
    _to_sino,
    _from_sino,
    _from_sino,
    _to_sino_tens,
    _to_native,
    _from_native,
)


def make(rng: random.Random, side: Side) -> Exercise:
    """A number to be written the other way."""
    return rng.choice(_MAKERS)(rng, side)


def guess(exercise: Exercise) -> Attempt:
    """A middling number, in words or in digits as asked."""
    if "숫자로" in exercise.question:
        return Attempt("50")
    return Attempt("쉰" if "고유어" in exercise.question else "오천")


FAMILY = Family("numbers", "수 읽고 쓰기", "reading and writing numbers", make, same_answer, guess)
