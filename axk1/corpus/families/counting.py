"""Counting words: 고양이 두 마리, 스물한 살, 삼 층, and which counter goes with what."""

from __future__ import annotations

import random
from collections.abc import Callable

from axk1.corpus.exercise import Attempt, Exercise, Family, Side, number
from axk1.corpus.families.grading import same_text
from axk1.corpus.families.numbers import native_pieces, pieces
from axk1.corpus.families.operands import choose, draw, keys
from axk1.corpus.families.things import any_thing, other_counter
from axk1.corpus.korean import (
    SINO_COUNTERS,
    Noun,
    clock,
    clock_reading,
    count,
    date,
    date_reading,
    month_reading,
    native_modifier,
    sino,
)

_TO_WORDS = ("{x:을} 한글로 써 줘.", "{x:을} 한글로 적으면?", "{x:을} 한글로 읽어 주세요.")
_TO_DIGITS = ("{x:을} 숫자로 써 줘.", "{x:을} 숫자로 적으면?")
_WHICH = (
    "{t:을} 셀 때는 {one:과} {two} 중 무엇을 써요?",
    "{t} 다섯 (   ). 빈칸에 {one:과} {two} 중 무엇이 맞나요?",
)
# counters without a thing, and the largest number that is counted so
_BARE = {
    "살": 99,
    "세": 99,
    "시간": 24,
    "층": 60,
    "분": 59,
    "초": 59,
    "개월": 36,
    "쪽": 99,
    "인분": 30,
    "명": 99,
    "학년": 6,
}


def _modifier(value: int, counter: str) -> str:
    return sino(value) if counter in SINO_COUNTERS else native_modifier(value)


def _reasoning(value: int, counter: str) -> str:
    """How the number is put together before this counter: 20 스물, 1 하나 → 스물한."""
    parts = pieces(value) if counter in SINO_COUNTERS else native_pieces(value)
    return f"{', '.join(f'{place} {reading}' for place, reading in parts)} → {_modifier(value, counter)}"


def _from_words(value: int, counter: str) -> str:
    parts = pieces(value) if counter in SINO_COUNTERS else native_pieces(value)
    return f"{', '.join(f'{reading} {place}' for place, reading in parts)} → {value}"


def _exercise(question: str, reasoning: str, answer: str, all_keys: tuple[str, ...]) -> Exercise:
    return Exercise("counting", "ko", question, reasoning, answer, keys=all_keys)


def _value(rng: random.Random, side: Side, counter: str, most: int) -> int:
    (value,) = draw(rng, side, counter, lambda rng, side: (number(rng, 1, most, side),))
    return value


def _thing_to_words(rng: random.Random, side: Side) -> Exercise:
    t, kind = any_thing(rng, side)
    value = number(rng, 1, 99, side)
    question = choose(rng, _TO_WORDS).format(x=Noun(f"{t} {value}{kind.counter}"))
    answer = f"{t} {count(value, kind.counter)}"
    return _exercise(question, _reasoning(value, kind.counter), answer, (t, *keys(t, (value,))))


def _thing_to_digits(rng: random.Random, side: Side) -> Exercise:
    t, kind = any_thing(rng, side)
    value = number(rng, 1, 99, side)
    question = choose(rng, _TO_DIGITS).format(x=Noun(f"{t} {count(value, kind.counter)}"))
    answer = f"{t} {value}{kind.counter}"
    return _exercise(question, _from_words(value, kind.counter), answer, (t, *keys(t, (value,))))


def _bare_to_words(rng: random.Random, side: Side) -> Exercise:
    counter = choose(rng, tuple(_BARE))
    value = _value(rng, side, counter, _BARE[counter])
    question = choose(rng, _TO_WORDS).format(x=Noun(f"{value}{counter}"))
    return _exercise(question, _reasoning(value, counter), count(value, counter), keys(counter, (value,)))


def _clock_to_words(rng: random.Random, side: Side) -> Exercise:
    hour, minute = draw(rng, side, "시 분", lambda rng, side: (number(rng, 1, 12, side), number(rng, 1, 59, side)))
    question = choose(rng, _TO_WORDS).format(x=Noun(clock(hour, minute)))
    reasoning = f"{_reasoning(hour, '시')}, {_reasoning(minute, '분')}"
    return _exercise(question, reasoning, clock_reading(hour, minute), keys("시 분", (hour, minute)))


def _date_to_words(rng: random.Random, side: Side) -> Exercise:
    month, day = draw(rng, side, "월 일", lambda rng, side: (number(rng, 1, 12, side), number(rng, 1, 28, side)))
    question = choose(rng, _TO_WORDS).format(x=Noun(date(month, day)))
    reasoning = f"{month}월 {month_reading(month)}, {_reasoning(day, '일')}일"
    return _exercise(question, reasoning, date_reading(month, day), keys("월 일", (month, day)))


def _which_counter(rng: random.Random, side: Side) -> Exercise:
    t, kind = any_thing(rng, side)
    options = [f"'{kind.counter}'", f"'{other_counter(rng, kind)}'"]
    rng.shuffle(options)
    question = choose(rng, _WHICH).format(t=t, one=Noun(options[0]), two=options[1])
    noun = t.split()[-1]
    return _exercise(question, f"{noun} 한 {kind.counter}", f"{Noun(kind.counter):이에요}.", (t,))


_MAKERS: tuple[Callable[[random.Random, Side], Exercise], ...] = (
    _thing_to_words,
    _thing_to_digits,
    _bare_to_words,
    _bare_to_words,
    _clock_to_words,
    _date_to_words,
    _which_counter,
)


def make(rng: random.Random, side: Side) -> Exercise:
    """A count in words or digits, or the counter for a thing."""
    return rng.choice(_MAKERS)(rng, side)


def guess(exercise: Exercise) -> Attempt:
    """The first of two counters; else the most common counter with one."""
    if " 중 " in exercise.question:
        return Attempt(f"{Noun(exercise.question.split(chr(39))[1]):이에요}.")
    return Attempt("한 개" if "한글" in exercise.question else "1개")


FAMILY = Family("counting", "세는 말", "counting words", make, same_text, guess)
