"""Several small sums to be answered at once: much practice in few words."""

from __future__ import annotations

import random
import re

from axk1.corpus.exercise import Attempt, Exercise, Family, Side, number
from axk1.corpus.families.grading import same_text
from axk1.corpus.families.operands import choose, draw, keys
from axk1.corpus.families.steps import add, multiply, subtract
from axk1.corpus.families.sums import two_digits
from axk1.corpus.korean import Noun

_LINES = 4
_QUESTIONS = ("{sums:을} 계산해 줘.", "다음을 계산하세요: {sums}", "{sums:은} 각각 얼마예요?")
_EXPRESSION = re.compile(r"\d+[-+×](\d+)")
_SIGNS = "+++--×"
_WRITTEN = {"+": add, "-": subtract, "×": multiply}


def _difference(rng: random.Random, side: Side) -> tuple[int, ...]:
    a, b = number(rng, 10, 99, side), number(rng, 2, 99, side)
    return (a, b) if a > b else ()


def _product(rng: random.Random, side: Side) -> tuple[int, int]:
    return number(rng, 2, 9, side), number(rng, 2, 9, side)


_LABELS = {"+": ("sum2", two_digits), "-": ("-", _difference), "×": ("×", _product)}


def _line(rng: random.Random, side: Side) -> tuple[str, tuple[str, ...]]:
    """The working of one operation, and its keys."""
    sign = choose(rng, _SIGNS)
    label, sample = _LABELS[sign]
    a, b = draw(rng, side, label, sample)
    return _WRITTEN[sign](a, b), keys(label, (a, b))


def make(rng: random.Random, side: Side) -> Exercise:
    """Four different expressions of one operation each."""
    lines: dict[str, tuple[str, ...]] = {}
    while len(lines) < _LINES:
        worked, line_keys = _line(rng, side)
        lines[worked] = line_keys
    parts = [worked.split("=") for worked in lines]
    question = choose(rng, _QUESTIONS).format(sums=Noun(", ".join(part[0] for part in parts)))
    answer = ", ".join(f"{part[0]}={part[-1]}" for part in parts)
    all_keys = tuple(key for line_keys in lines.values() for key in line_keys)
    return Exercise("drill", "ko", question, ", ".join(lines), answer, keys=all_keys)


def guess(exercise: Exercise) -> Attempt:
    """Every expression set equal to its own second number."""
    return Attempt(", ".join(f"{found[0]}={found[1]}" for found in _EXPRESSION.finditer(exercise.question)))


FAMILY = Family("drill", "계산 연습", "drill", make, same_text, guess)
