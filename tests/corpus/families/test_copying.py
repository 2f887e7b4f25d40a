"""Copying and looking up: the answer stands in the question, the words are new, and near misses fail."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Attempt, Exercise
from axk1.corpus.families.copying import FAMILIES

COPY, LOOKUP = FAMILIES


def drawn(family, count: int = 1000) -> list[Exercise]:
    rng = random.Random(4)
    return [family.make(rng, ("train", "held_out")[index % 2]) for index in range(count)]


def test_what_is_to_be_copied_stands_in_the_question():
    for item in drawn(COPY):
        assert item.answer in item.question
        words = item.answer.split()
        assert 2 <= len(words) <= 7
        assert COPY.grade(item, Attempt(item.answer))
        assert not COPY.grade(item, Attempt(" ".join(reversed(words))))
        assert not COPY.grade(item, Attempt(" ".join(words[:-1])))
        assert not COPY.grade(item, Attempt(item.question))


def test_the_value_belongs_to_the_key_that_is_asked_for():
    for item in drawn(LOOKUP):
        listed = item.question.removeprefix("목록: ").partition(". ")[0]
        entries = dict(entry.split("=") for entry in listed.split(", "))
        asked = item.reasoning.partition(" ")[0]
        assert asked in item.question.partition(". ")[2]
        assert entries[asked] == item.answer
        for key, other in entries.items():
            assert LOOKUP.grade(item, Attempt(other)) == (key == asked)


def test_the_words_are_hardly_ever_met_twice():
    words = [word for item in drawn(COPY) for word in item.answer.split() if len(word) == 3 and word[0] >= "가"]
    assert len(set(words)) > 0.95 * len(words)
