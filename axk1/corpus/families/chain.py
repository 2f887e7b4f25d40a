"""Expressions of several steps, where working step by step is what helps: 23+48-17, 6×7+15, (12+7)×3."""

from __future__ import annotations

import random
import re

from axk1.corpus.exercise import Exercise, Family, Side, number
from axk1.corpus.families.operands import choose, draw, keys
from axk1.corpus.families.results import last_number, same_result
from axk1.corpus.families.steps import work
from axk1.corpus.korean import Noun

# n: a number from 2 to 99; s: a factor from 2 to 9.
_SHAPES = ("n+n-n", "n-n+n", "n+n+n", "n-n-n", "s×s+n", "s×s-n", "n+s×s", "n-s×s", "(n+n)×s", "n+n-n+n", "s×s+s×s")
_QUESTIONS = ("{e}=?", "{e:은}?", "{e:은} 얼마예요?", "{e:을} 계산해 줘.", "{e:을} 계산하면 얼마인가요?", "{e}의 값은?")
_SLOT = re.compile("[ns]")


def _operands(rng: random.Random, side: Side, shape: str) -> tuple[int, ...]:
    """Numbers for the slots of `shape` whose every step is fair; empty if these are not."""
    large = 30 if "(" in shape else 99
    drawn = tuple(number(rng, 2, 9 if slot == "s" else large, side) for slot in _SLOT.findall(shape))
    return drawn if work(_fill(shape, drawn)) else ()


def _fill(shape: str, operands: tuple[int, ...]) -> str:
    values = iter(operands)
    return _SLOT.sub(lambda _: str(next(values)), shape)


def make(rng: random.Random, side: Side) -> Exercise:
    """An expression of two or three steps."""
    shape = choose(rng, _SHAPES)
    operands = tuple(draw(rng, side, shape, lambda rng, side: _operands(rng, side, shape)))
    expression = _fill(shape, operands)
    worked = work(expression)
    assert worked is not None
    question = choose(rng, _QUESTIONS).format(e=Noun(expression))
    return Exercise("chain", "ko", question, worked[0], str(worked[1]), keys=keys(shape, operands))


FAMILY = Family("chain", "여러 단계 계산", "multi-step arithmetic", make, same_result, last_number)
