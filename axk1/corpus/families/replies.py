"""Themes of conversation: ways to say something and the replies that belong to it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from axk1.corpus.exercise import Attempt, Exercise, Family, Language, Side, side_of
from axk1.corpus.families.grading import ReplyClasses

Fill = Callable[[random.Random, Side], str]
Way = tuple[tuple[str, ...], ...]  # alternatives, one from each joined

_CONTINUED = re.compile(r"\|\n\s*")
_GROUP = re.compile(r"\[([^\]]*)\]|([^\[]+)")


@dataclass(frozen=True)
class Theme:
    """Something a user may say, in any of several ways, and what one answers; `fill` draws the {x} of both.

    thought: the reasoning before the reply, in the theme's language.
    """

    thought: str
    ways: tuple[Way, ...]
    replies: tuple[str, ...]
    fill: Fill | None = None


def theme(thought: str, ways: str, replies: str, fill: Fill | None = None) -> Theme:
    """A theme written compactly: on each line a way with [one|of|these] groups (a last | continues it), or a reply."""
    return Theme(thought, tuple(_way(line) for line in _lines(_CONTINUED.sub("|", ways))), _lines(replies), fill)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().split("\n"))


def _way(line: str) -> Way:
    return tuple(tuple((group or plain).split("|")) for group, plain in _GROUP.findall(line))


def converse(rng: random.Random, side: Side, chosen: Theme, family: str, language: Language) -> Exercise:
    """Something said on `chosen` and a reply; what is said, or else its {x}, lies on `side`."""
    filling = chosen.fill(rng, side) if chosen.fill else ""
    while True:
        said = "".join([rng.choice(group) for group in rng.choice(chosen.ways)])
        if filling or side_of(said) == side:
            break
    keys = (str(filling),) if filling else (said,)
    thought, reply = (text.replace("{x}", filling) for text in (chosen.thought, rng.choice(chosen.replies)))
    question = said.replace("{x}", filling)
    return Exercise(family, language, question[0].upper() + question[1:], thought, reply, keys=keys)


def conversation(name: str, title_ko: str, title_en: str, language: Language, themes: Sequence[Theme]) -> Family:
    """The family that draws evenly from `themes`; its baseline always gives the first theme's first reply."""

    def make(rng: random.Random, side: Side) -> Exercise:
        return converse(rng, side, themes[int(rng.random() * len(themes))], name, language)

    def guess(_exercise: Exercise) -> Attempt:
        return Attempt(themes[0].replies[0])

    return Family(name, title_ko, title_en, make, ReplyClasses(entry.replies for entry in themes).grade, guess)
