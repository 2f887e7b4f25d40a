"""The built-in curriculum: every family of exercises, and endless seeded streams drawn from them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import accumulate

from axk1.corpus.exercise import Exercise, Family, Side
from axk1.corpus.families import (
    arithmetic,
    chain,
    classify,
    copying,
    counting,
    dates,
    drill,
    english,
    identity,
    money,
    numbers,
    particles,
    reading,
    rewrite,
    smalltalk,
    sums,
    tools,
    units,
    word1,
    word2,
)

_ALL = (
    sums.FAMILY,
    drill.FAMILY,
    arithmetic.FAMILY,
    chain.FAMILY,
    word1.FAMILY,
    word2.FAMILY,
    counting.FAMILY,
    numbers.FAMILY,
    money.FAMILY,
    units.FAMILY,
    dates.FAMILY,
    particles.FAMILY,
    *copying.FAMILIES,
    *tools.FAMILIES,
    reading.FAMILY,
    rewrite.FAMILY,
    classify.FAMILY,
    smalltalk.FAMILY,
    identity.FAMILY,
    *english.FAMILIES,
)
FAMILIES: Mapping[str, Family] = {family.name: family for family in _ALL}

# How often each family is drawn, beside 1 for those not named here: what needs many examples to be learned comes often.
_OFTEN = {
    "sum2": 4.0,
    "arithmetic": 1.5,
    "chain": 2.0,
    "word1": 1.5,
    "word2": 4.0,
    "dates": 1.5,
    "copy": 4.0,
    "lookup": 4.0,
    "tools": 5.0,
    "tools_none": 1.5,
    "tools_en": 1.5,
}
WEIGHTS: Mapping[str, float] = {name: _OFTEN.get(name, 1.0) for name in FAMILIES}

_REMEMBERED = 1 << 19  # questions remembered, so that memory stays bounded in a stream without an end
_TRIES = 4  # draws before a repeated question is let through: some families are small


def exercises(seed: int, side: Side, weights: Mapping[str, float] | None = None) -> Iterator[Exercise]:
    """Exercises without end, the same for the same arguments; a question repeats only where its family is small.

    weights: how often each family is drawn; families that it does not name are left out. None takes WEIGHTS.
    ValueError for an unknown family, a negative weight, or none above zero.
    """
    return _stream(random.Random(f"{seed} {side}"), side, *_drawn(WEIGHTS if weights is None else weights))


def _drawn(weights: Mapping[str, float]) -> tuple[list[Family], list[float]]:
    """The families with a weight above zero, and the running sums of the weights."""
    unknown = sorted(set(weights) - set(FAMILIES))
    if unknown:
        raise ValueError(f"unknown curriculum family {', '.join(unknown)}; known: {', '.join(FAMILIES)}")
    if any(weight < 0 for weight in weights.values()) or not any(weights.values()):
        raise ValueError("curriculum weights must not be negative, and at least one must be above zero")
    names = [name for name in FAMILIES if weights.get(name, 0) > 0]
    return [FAMILIES[name] for name in names], list(accumulate(weights[name] for name in names))


def _stream(rng: random.Random, side: Side, families: list[Family], cumulative: list[float]) -> Iterator[Exercise]:
    seen: set[bytes] = set()
    while True:
        (family,) = rng.choices(families, cum_weights=cumulative)
        for _ in range(_TRIES):
            exercise = family.make(rng, side)
            fingerprint = _fingerprint(exercise)
            if fingerprint not in seen:
                break
        if len(seen) >= _REMEMBERED:
            seen.clear()
        seen.add(fingerprint)
        yield exercise


def _fingerprint(exercise: Exercise) -> bytes:
    return blake2b(exercise.question.encode("utf-8"), digest_size=8).digest()


def as_text(exercise: Exercise) -> str:
    """The exercise as a plain document: tools, question, for every second one the reasoning, the answer or the call."""
    lines = [*(f"{tool.name}({', '.join(tool.parameters)})" for tool in exercise.tools), exercise.question]
    if _fingerprint(exercise)[0] % 2:
        lines.append(exercise.reasoning)
    if exercise.call:
        call = {"name": exercise.call.name, "arguments": dict(exercise.call.arguments)}
        lines.append(json.dumps(call, ensure_ascii=False))
    else:
        lines.append(exercise.answer)
    return "\n".join(lines)
