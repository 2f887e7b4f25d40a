"""How a word problem is told: a template, the people and things in it, the style of its endings, and its sum.

A template names its parts: {N}, {M} two friends, {t} a thing, {c} its counter, {a} {b} {d} the numbers; a particle is
asked for by its form after a consonant ({N:은}). The endings follow one style throughout: {다} after the past or 있
(샀습니다 / 샀어요 / 샀다), {까} its question (남았습니까 / 남았나요 / 남았을까), {인가} after a noun (몇 개입니까 …).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from axk1.corpus.exercise import Exercise, Side, number
from axk1.corpus.families.operands import draw, keys
from axk1.corpus.families.steps import work
from axk1.corpus.families.things import thing
from axk1.corpus.korean import Noun, friend
from axk1.corpus.lexicon import given_name

STYLES: tuple[Mapping[str, str], ...] = (
    {"다": "습니다", "까": "습니까", "인가": "입니까"},
    {"다": "어요", "까": "나요", "인가": "인가요"},
    {"다": "다", "까": "을까", "인가": "일까"},
)
_LETTER = re.compile("[abd]")


@dataclass(frozen=True)
class Story:
    """A template with the use of its thing (or "-" and the counter, where it names its own), its sum and the ranges.

    sum: an expression of a, b, d, for each of which `ranges` has the lowest and the highest value.
    """

    text: str
    use: str
    sum: str
    ranges: tuple[tuple[int, int], ...]


def read(table: str) -> tuple[Story, ...]:
    """Stories under headings of use, sum and ranges: "# own a+b 3-99 2-60"; "# -살" names the counter itself."""
    stories = []
    use, expression = "", ""
    ranges: tuple[tuple[int, int], ...] = ()
    for line in table.strip().split("\n"):
        if line.startswith("# "):
            use, expression, *limits = line[2:].split()
            ranges = tuple(_limits(limit) for limit in limits)
        else:
            stories.append(Story(line, use, expression, ranges))
    return tuple(stories)


def _limits(text: str) -> tuple[int, int]:
    low, high = text.split("-")
    return int(low), int(high)


def tell(rng: random.Random, side: Side, story: Story, family: str) -> Exercise:
    """The exercise that fills `story` with people, things and numbers of `side`."""
    operands = draw(rng, side, f"{family} {story.sum}", _sampler(story))
    worked = work(_filled(story.sum, operands))
    assert worked is not None
    reasoning, value = worked
    parts, entities = _cast(rng, side, story)
    numbers = dict(zip("abd", operands, strict=False))
    question = story.text.format(**parts, **numbers, **STYLES[int(rng.random() * len(STYLES))])
    answer = f"{value}{parts['c']:이에요}."
    all_keys = (*keys(f"{family} {story.sum}", operands), *entities)
    return Exercise(family, "ko", question, reasoning, answer, keys=all_keys)


def _sampler(story: Story) -> Callable[[random.Random, Side], Sequence[int]]:
    def sample(rng: random.Random, side: Side) -> Sequence[int]:
        operands = tuple(number(rng, low, high, side) for low, high in story.ranges)
        return operands if work(_filled(story.sum, operands)) else ()

    return sample


def _filled(expression: str, operands: Sequence[int]) -> str:
    values = dict(zip("abd", operands, strict=False))
    return _LETTER.sub(lambda letter: str(values[letter[0]]), expression)


def _cast(rng: random.Random, side: Side, story: Story) -> tuple[dict[str, Noun], tuple[str, ...]]:
    """The people and the thing of the story, and those of them that are used (their keys)."""
    parts: dict[str, Noun] = {}
    entities = []
    for letter in "NM":
        if "{" + letter in story.text:
            name = given_name(rng, side)
            while name in entities:
                name = given_name(rng, side)
            entities.append(str(name))
            parts[letter] = Noun(friend(name))
    if story.use.startswith("-"):
        parts["c"] = Noun(story.use[1:])
    else:
        parts["t"], parts["c"] = thing(rng, side, story.use)
        entities.append(str(parts["t"]))
    return parts, tuple(entities)
