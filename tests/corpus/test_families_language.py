"""The families of language: what holds for all of them; each has a file of its own beside this one."""

from __future__ import annotations

import itertools
import random
import re
import statistics
import unicodedata

import pytest

from axk1.corpus.exercise import Attempt, Exercise, Family
from axk1.corpus.families import classify, english, identity, reading, rewrite, smalltalk, tools
from axk1.corpus.korean import Noun, final_consonant

FAMILIES = (
    *tools.FAMILIES,
    reading.FAMILY,
    rewrite.FAMILY,
    classify.FAMILY,
    smalltalk.FAMILY,
    identity.FAMILY,
    *english.FAMILIES,
)
LONGEST = {"reading": 150}  # characters of a question; others
USUAL = 80


def drawn(family: Family, count: int, seed: int = 5) -> list[Exercise]:
    rng = random.Random(seed)
    return [family.make(rng, ("train", "held_out")[index % 2]) for index in range(count)]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_sides_share_no_key_and_no_question(family):
    rng = random.Random(1)
    train, held_out = ([family.make(rng, side) for _ in range(20_000)] for side in ("train", "held_out"))
    assert all(item.keys for item in train + held_out)
    assert not {key for item in train for key in item.keys} & {key for item in held_out for key in item.keys}
    assert not {item.question for item in train} & {item.question for item in held_out}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_texts_are_finished(family):
    for item in drawn(family, 1000):
        for text in (item.question, item.reasoning, item.answer):
            assert unicodedata.is_normalized("NFC", text)
            assert text == text.strip()
            assert not re.search(r"[{}\[\]|]|  |\.\.|[.?!],|None", text), text
            assert type(text) is str
        assert item.reasoning
        assert len(item.reasoning) <= 80
        assert len(item.question) <= LONGEST.get(family.name, USUAL), item.question


def test_questions_are_short():
    for family in FAMILIES:
        mean = statistics.mean(len(item.question) for item in drawn(family, 1000))
        assert mean < (100 if family.name == "reading" else 45), family.name


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_words_of_another_answer_are_wrong(family):
    """Two answers accepted for each other belong to one class, so they are accepted for each other both ways."""
    items = [item for item in drawn(family, 600) if item.call is None]
    for item, other in itertools.pairwise(items):
        if other.answer != item.answer and family.grade(item, Attempt(other.answer)):
            assert family.grade(other, Attempt(item.answer))
            assert family.name in ("smalltalk", "identity", "english", "tools_none")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_baseline_is_far_below_what_is_asked_of_a_model(family):
    items = drawn(family, 2000)
    assert sum(family.grade(item, family.guess(item)) for item in items) / len(items) < 0.4


# A noun and the particle after it, for nouns that stand in a text with a particle whose form shows the final consonant.
PARTICLES = {"은": True, "는": False, "을": True, "를": False, "과": True, "와": False}


def test_particles_follow_the_final_consonant():
    """In passages and commands: a consonant before 은 을 과, a vowel before 는 를 와."""
    checked = 0
    for family in (tools.FAMILIES[0], reading.FAMILY):
        for item in drawn(family, 1500):
            for word in re.findall(r"[가-힣]{2,}(?=[ ,.?])", item.question):
                if word[-1] in PARTICLES and word[:-1] in _nouns(item):
                    assert bool(final_consonant(word[:-1])) == PARTICLES[word[-1]], item.question
                    checked += 1
    assert checked > 1500


def _nouns(item: Exercise) -> set[str]:
    """The last word of everything the exercise is about."""
    values = [str(value) for value in item.call.arguments.values()] if item.call else re.split(r"[:,] ", item.reasoning)
    return {value.split(" ")[-1] for value in values if value}


def test_noun_class_is_the_one_oracle_of_particles():
    assert (
        f"{Noun('민준'):은} {Noun('지호'):은} {Noun('역 앞'):으로} {Noun('3시 30분'):으로}"
        == "민준은 지호는 역 앞으로 3시 30분으로"
    )
