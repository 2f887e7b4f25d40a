"""Two-digit sums: 47+38."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Attempt, Exercise, Family, Side, number
from axk1.corpus.families.operands import choose, draw, keys
from axk1.corpus.families.results import same_result
from axk1.corpus.families.steps import add
from axk1.corpus.korean import Noun

_QUESTIONS = (
    "{a}+{b}=?",
    "{a}+{b:은}?",
    "{a}+{b:은} 얼마예요?",
    "{a}+{b:을} 계산해 줘.",
    "{a} 더하기 {b:은} 얼마인가요?",
    "{a}에 {b:을} 더하면 얼마예요?",
    "{a:과} {b}의 합은 얼마입니까?",
    "{a:과} {b:을} 더해 주세요.",
)


def two_digits(rng: random.Random, side: Side) -> tuple[int, int]:
    """Two numbers from 10 to 99."""
    return number(rng, 10, 99, side), number(rng, 10, 99, side)


def make(rng: random.Random, side: Side) -> Exercise:
    """A sum of two numbers from 10 to 99."""
    a, b = draw(rng, side, "sum2", two_digits)
    question = choose(rng, _QUESTIONS).format(a=Noun(a), b=Noun(b))
    return Exercise("sum2", "ko", question, add(a, b), str(a + b), keys=keys("sum2", (a, b)))


def guess(_exercise: Exercise) -> Attempt:
    """The most common sum of two numbers from 10 to 99."""
    return Attempt("109")


FAMILY = Family("sum2", "두 자리 수 더하기", "two-digit sums", make, same_result, guess)
