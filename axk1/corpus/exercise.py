"""What one exercise of the built-in curriculum is, and which side (training or held-out) its contents lie on.

The two sides share the closed grammar (templates, counters, units) and the integers below FIRST_OWNED, of which there
are too few to divide. Everything else, an operand, a name, an item, belongs to exactly one side, decided by a hash of
its text: no list to keep, the same answer in every process and in every version of Python.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal

Side = Literal["train", "held_out"]
Language = Literal["ko", "en"]

FIRST_OWNED = 13  # integers from here on belong to one side
HELD_OUT_SHARE = 8  # one key in eight is held out
_LISTED_SPAN = 4096  # ranges up to this size are listed once; wider ones are drawn until the side fits


@dataclass(frozen=True)
class ToolSpec:
    """A tool offered to the assistant; `parameters` maps each argument's name to its JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """A tool call: the tool's name and its arguments (JSON values)."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Exercise:
    """A question with its worked reasoning and its answer (or, for tools, the call; then `answer` is empty).

    `keys` are the operand tuples and entities that the training and held-out sides must not share.
    """

    family: str
    language: Language
    question: str
    reasoning: str
    answer: str
    call: Call | None = None
    tools: tuple[ToolSpec, ...] = ()
    system: str = ""
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attempt:
    """What a model said after its reasoning: the visible text and the tool calls."""

    text: str
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Family:
    """A kind of exercise: `make` draws one, `grade` judges an attempt, `guess` is an honest baseline.

    `guess` reads only the question (and the tools), never the reasoning or the answer.
    """

    name: str
    title_ko: str
    title_en: str
    make: Callable[[random.Random, Side], Exercise] = field(repr=False)
    grade: Callable[[Exercise, Attempt], bool] = field(repr=False)
    guess: Callable[[Exercise], Attempt] = field(repr=False)


@lru_cache(maxsize=1 << 16)
def side_of(key: str) -> Side:
    """The side on which `key` lies: held_out for about one key in HELD_OUT_SHARE, by hash."""
    digest = blake2b(key.encode("utf-8"), digest_size=4).digest()
    return "held_out" if int.from_bytes(digest, "big") % HELD_OUT_SHARE == 0 else "train"


@lru_cache(maxsize=1 << 10)
def on_side(pool: tuple[str, ...], side: Side) -> tuple[str, ...]:
    """The members of `pool` that lie on `side`, in their order."""
    return tuple(member for member in pool if side_of(member) == side)


def pick(rng: random.Random, pool: Sequence[str], side: Side) -> str:
    """A member of `pool` that lies on `side`; ValueError when there is none (make the pool larger)."""
    members = on_side(tuple(pool), side)
    if not members:
        raise ValueError(f"none of the {len(pool)} entries lies on the {side} side: {', '.join(pool[:5])} …")
    return members[int(rng.random() * len(members))]


def owns(side: Side, number: int) -> bool:
    """Whether `number` may be an operand on `side`: small ones on both, the others on exactly one."""
    return abs(number) < FIRST_OWNED or side_of(f"integer {number}") == side


@lru_cache(maxsize=1 << 10)
def _numbers(low: int, high: int, side: Side) -> tuple[int, ...]:
    return tuple(number for number in range(low, high + 1) if owns(side, number))


def number(rng: random.Random, low: int, high: int, side: Side) -> int:
    """An operand from low to high, both included, that `side` owns; ValueError when the range holds none."""
    if high - low >= _LISTED_SPAN:
        while not owns(side, drawn := low + int(rng.random() * (high - low + 1))):
            pass
        return drawn
    members = _numbers(low, high, side)
    if not members:
        raise ValueError(f"no number from {low} to {high} lies on the {side} side")
    return members[int(rng.random() * len(members))]
