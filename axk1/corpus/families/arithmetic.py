"""Single operations beyond two-digit sums: subtraction, three-digit sums, times a digit, division with a remainder."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from axk1.corpus.exercise import Attempt, Exercise, Family, Side, number
from axk1.corpus.families.operands import Sample, choose, draw, keys
from axk1.corpus.families.results import last_number, same_answer
from axk1.corpus.families.steps import add_hundreds, multiply, subtract
from axk1.corpus.korean import Noun


@dataclass(frozen=True)
class _Operation:
    sign: str
    sample: Sample
    reason: Callable[[int, int], str]
    answer: Callable[[int, int], str]
    questions: tuple[str, ...]


def _difference(rng: random.Random, side: Side) -> tuple[int, ...]:
    a, b = number(rng, 10, 199, side), number(rng, 2, 99, side)
    return (a, b) if a > b else ()


def _three_digits(rng: random.Random, side: Side) -> tuple[int, ...]:
    return number(rng, 100, 899, side), number(rng, 100, 899, side)


def _product(rng: random.Random, side: Side) -> tuple[int, ...]:
    pair = (number(rng, 2, 99, side), number(rng, 2, 9, side))
    return pair if rng.random() < 0.5 else pair[::-1]


def _division(rng: random.Random, side: Side) -> tuple[int, ...]:
    a, b = number(rng, 5, 89, side), number(rng, 2, 9, side)
    return (a, b) if b < a < 10 * b else ()


def _divide_with_remainder(a: int, b: int) -> str:
    quotient = a // b
    return f"{b}×{quotient}={b * quotient}, {subtract(a, b * quotient)}"


def _quotient_and_remainder(a: int, b: int) -> str:
    return f"몫은 {Noun(a // b):이고} 나머지는 {Noun(a % b):이에요}."


_OPERATIONS = (
    _Operation(
        "-",
        _difference,
        subtract,
        lambda a, b: str(a - b),
        (
            "{a}-{b}=?",
            "{a}-{b:은}?",
            "{a}-{b:을} 계산해 줘.",
            "{a} 빼기 {b:은} 얼마예요?",
            "{a}에서 {b:을} 빼면 얼마인가요?",
            "{a:과} {b}의 차는 얼마입니까?",
        ),
    ),
    _Operation(
        "+",
        _three_digits,
        add_hundreds,
        lambda a, b: str(a + b),
        (
            "{a}+{b}=?",
            "{a}+{b:은}?",
            "{a}+{b:을} 계산해 줘.",
            "{a} 더하기 {b:은} 얼마예요?",
            "{a}에 {b:을} 더하면 얼마인가요?",
        ),
    ),
    _Operation(
        "×",
        _product,
        multiply,
        lambda a, b: str(a * b),
        (
            "{a}×{b}=?",
            "{a}×{b:은}?",
            "{a}×{b:을} 계산해 줘.",
            "{a} 곱하기 {b:은} 얼마예요?",
            "{a}에 {b:을} 곱하면 얼마인가요?",
            "{a}의 {b}배는 얼마입니까?",
        ),
    ),
    _Operation(
        "÷",
        _division,
        _divide_with_remainder,
        _quotient_and_remainder,
        (
            "{a}÷{b}의 몫과 나머지는?",
            "{a:을} {b:으로} 나누면 몫과 나머지는 얼마예요?",
            "{a} 나누기 {b}의 몫과 나머지를 구해 줘.",
            "{a:을} {b:으로} 나눈 몫과 나머지를 알려 주세요.",
        ),
    ),
)


def make(rng: random.Random, side: Side) -> Exercise:
    """One operation on two numbers."""
    operation = _OPERATIONS[int(rng.random() * len(_OPERATIONS))]
    a, b = draw(rng, side, operation.sign, operation.sample)
    question = choose(rng, operation.questions).format(a=Noun(a), b=Noun(b))
    all_keys = keys(operation.sign, (a, b))
    return Exercise("arithmetic", "ko", question, operation.reason(a, b), operation.answer(a, b), keys=all_keys)


def guess(exercise: Exercise) -> Attempt:
    """The last number; for a division a middling quotient and remainder."""
    return Attempt("몫은 5이고 나머지는 1이에요.") if "나머지" in exercise.question else last_number(exercise)


FAMILY = Family("arithmetic", "사칙 연산", "single operations", make, same_answer, guess)
