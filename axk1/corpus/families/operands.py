"""Operands that lie on one side: how they are drawn and under which keys they are remembered."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from axk1.corpus.exercise import FIRST_OWNED, Side, owns, side_of

Sample = Callable[[random.Random, Side], Sequence[int]]


def belongs(side: Side, label: str, operands: Sequence[int]) -> bool:
    """Whether `side` owns every operand; a tuple of small ones only, which both sides may use, is divided by hash."""
    if not all(owns(side, operand) for operand in operands):
        return False
    return any(operand >= FIRST_OWNED for operand in operands) or side_of(_tuple_key(label, operands)) == side


def draw(rng: random.Random, side: Side, label: str, sample: Sample) -> Sequence[int]:
    """Operands from `sample` that belong to `side`; an empty sample is one that did not suit, and is drawn again."""
    while True:
        operands = sample(rng, side)
        if operands and belongs(side, label, operands):
            return operands


def keys(label: str, operands: Sequence[int]) -> tuple[str, ...]:
    """The operand tuple, and each operand that only one side may use."""
    return (_tuple_key(label, operands), *(f"integer {operand}" for operand in operands if operand >= FIRST_OWNED))


def _tuple_key(label: str, operands: Sequence[int]) -> str:
    return f"{label} {','.join(map(str, operands))}"


def choose(rng: random.Random, options: Sequence[str]) -> str:
    """One of `options`, which both sides share."""
    return options[int(rng.random() * len(options))]
