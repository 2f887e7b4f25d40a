"""A tool, how people ask for it, and what to ask back when they leave out what it needs."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from axk1.corpus.exercise import Side, ToolSpec, side_of

_OPTIONAL_STRING = {"type": "string", "default": ""}


@dataclass(frozen=True)
class Verb:
    """What to do: the 아/어 form (켜) and the noun form (켜기)."""

    infinitive: str
    nominal: str


@dataclass(frozen=True)
class Wish:
    """What a user wants of a tool.

    topic: its name in the reasoning; patterns: ways to say it in full, with {v} for the verb and {y} where the polite
    level adds 요; words: what fills the patterns; keys: what only one side may hold.
    """

    topic: str
    verb: Verb
    patterns: tuple[str, ...]
    arguments: Mapping[str, Any]
    words: Mapping[str, object] = field(default_factory=dict)
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skill:
    """A tool and its wishes.

    vague: patterns that leave out the argument `missing`; ask: replies that ask for it; empty where nothing is needed.
    """

    spec: ToolSpec
    wish: Callable[[random.Random, Side], Wish]
    missing: str = ""
    vague: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()


def spec(name: str, description: str, **types: str) -> ToolSpec:
    """A tool whose arguments have these types; "a|b" is one of these strings, "string?" may be left out."""
    return ToolSpec(name, description, {key: _schema(kind) for key, kind in types.items()})


def _schema(kind: str) -> Mapping[str, Any]:
    if "|" in kind:
        return {"type": "string", "enum": kind.split("|")}
    return _OPTIONAL_STRING if kind == "string?" else {"type": kind}


def lines(text: str) -> tuple[str, ...]:
    """The non-empty lines of an indented block."""
    return tuple(line.strip() for line in text.strip().split("\n"))


_CASUAL = ("{a}", "{a} 줘", "{a} 줘.", "{a} 줄래?", "{a} 줄 수 있어?")
# Such patterns make whole sentences, so they never end in a bare noun form.
_SENTENCES = ("좀 {v}", "꼭 {v}", "지금 {v}", "바로 {v}", "을} {v}", "을 {v}", "를 {v}")
_POLITE = (
    "{a} 줘요",
    "{a} 주세요",
    "{a} 주세요.",
    "{a} 줄래요?",
    "{a} 주실래요?",
    "{a} 주시겠어요?",
    "{a} 줄 수 있나요?",
)


def say(rng: random.Random, pattern: str, verb: Verb, words: Mapping[str, object]) -> str:
    """`pattern` in one level throughout: 해, 해 줘, 해 주세요, … or, where nothing shows the level, 하기."""
    style = rng.random()
    if style < 0.1 and "{y}" not in pattern and not pattern.endswith(_SENTENCES):
        return pattern.format(v=verb.nominal, **words)
    polite = style > 0.5
    ending = rng.choice(_POLITE if polite else _CASUAL).format(a=verb.infinitive)
    return pattern.format(v=ending, y="요" if polite else "", **words)


def utter(rng: random.Random, side: Side, wish: Wish) -> tuple[str, tuple[str, ...]]:
    """A sentence for `wish` and its keys: the wish's own or, where both sides share all it says, the sentence."""
    while True:
        sentence = say(rng, rng.choice(wish.patterns), wish.verb, wish.words)
        if keys := _keys(sentence, wish.keys, side):
            return sentence, keys


def utter_vaguely(rng: random.Random, side: Side, wish: Wish, vague: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The same in one of the `vague` patterns; only what the sentence still says counts as a key."""
    while True:
        sentence = say(rng, rng.choice(vague), wish.verb, wish.words)
        if keys := _keys(sentence, tuple(key for key in wish.keys if key in sentence), side):
            return sentence, keys


def _keys(sentence: str, keys: tuple[str, ...], side: Side) -> tuple[str, ...]:
    """`keys`, or if there are none the sentence; nothing if that is on the other side."""
    return keys or ((sentence,) if side_of(sentence) == side else ())
