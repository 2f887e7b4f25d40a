"""Topics × audience × form × register, drawn so that every topic comes equally often and no combination twice."""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axk1.config import ConfigError, load

__all__ = ["STYLES", "Topic", "TopicTree", "drawn_topics", "read_topics"]

BUILT_IN = Path(__file__).with_name("topics.toml")

STYLES: Mapping[str, str] = {
    "plain": "'-다'로 끝나는 글말",
    "haeyo": "'-아요/-어요'로 끝나는 해요체",
    "hapsyo": "'-습니다/-ㅂ니다'로 끝나는 합쇼체",
}
"""Registers that can be asked for, as a prompt names them."""


@dataclass(frozen=True)
class Topic:
    """What to write of, for whom, in which form. register: a key of STYLES."""

    field: str
    topic: str
    audience: str
    form: str
    register: str

    @property
    def key(self) -> str:
        """Names it among all."""
        return "/".join((self.field, self.topic, self.audience, self.form, self.register))


@dataclass(frozen=True)
class TopicTree:
    """tree: tables in tables, whose leaves are lists of topics."""

    audiences: tuple[str, ...]
    forms: tuple[str, ...]
    registers: tuple[str, ...]
    tree: Mapping[str, Any]

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.registers) - set(STYLES)):
            raise ValueError(f"unknown register {unknown[0]!r} (known: {', '.join(STYLES)})")
        if not (self.audiences and self.forms and self.registers and list(self.topics())):
            raise ValueError("audiences, forms, registers and tree must not be empty")

    def topics(self) -> Iterator[tuple[str, str]]:
        """Field ("과학 > 물리") and topic, in their order."""
        yield from _leaves(self.tree, ())


def read_topics(path: str, folder: Path) -> TopicTree:
    """The file, relative to `folder`; the built-in one for "". ConfigError, OSError."""
    return load(folder / path if path else BUILT_IN, TopicTree)


def drawn_topics(tree: TopicTree, seed: int) -> Iterator[Topic]:
    """Round by round every topic once, in an order of its own, each with a combination that it has not had.

    A longer draw begins like a shorter one. Ends when all combinations were drawn.
    """
    topics = list(tree.topics())
    ways = list(itertools.product(tree.audiences, tree.forms, tree.registers))
    shuffled = {topic: random.Random(f"{seed} {'/'.join(topic)}").sample(ways, len(ways)) for topic in topics}
    for number in range(len(ways)):
        for topic in random.Random(f"{seed} round {number}").sample(topics, len(topics)):
            yield Topic(*topic, *shuffled[topic][number])


def _leaves(tree: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, below in tree.items():
        path = (*above, name)
        if isinstance(below, Mapping):
            yield from _leaves(below, path)
        elif isinstance(below, list | tuple) and all(isinstance(one, str) for one in below):
            yield from ((" > ".join(path), topic) for topic in below)
        else:
            raise ConfigError(f"topic tree: {' > '.join(path)}: wants a table or a list of texts")
