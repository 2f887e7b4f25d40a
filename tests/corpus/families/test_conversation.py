"""Small talk, who-are-you, English and translation: classes of replies, honesty, phrases."""

from __future__ import annotations

import itertools
import random
import re

import pytest

from axk1.corpus.exercise import Attempt, Exercise, side_of
from axk1.corpus.families import english, identity, smalltalk
from axk1.corpus.families.english import talk
from axk1.corpus.families.grading import ReplyClasses, tidy
from axk1.corpus.families.replies import theme

TALK, _, TRANSLATION = english.FAMILIES
THEMES = (*smalltalk._THEMES, *identity._THEMES, *talk._THEMES)


def drawn(family, count: int = 1500) -> list[Exercise]:
    rng = random.Random(2)
    return [family.make(rng, ("train", "held_out")[index % 2]) for index in range(count)]


def said(entry) -> set[str]:
    return {"".join(parts) for way in entry.ways for parts in itertools.product(*way)}


@pytest.mark.parametrize("entry", THEMES, ids=lambda entry: entry.thought)
def test_every_theme_has_room_on_both_sides(entry):
    sentences = said(entry)
    assert len(sentences) >= 30
    if entry.fill is None:
        assert sum(side_of(sentence) == "held_out" for sentence in sentences) >= 3
    assert len(entry.replies) >= 2


@pytest.mark.parametrize("themes", [smalltalk._THEMES, identity._THEMES, talk._THEMES])
def test_no_sentence_belongs_to_two_themes_and_no_reply_to_two_classes(themes):
    for one, other in itertools.combinations(themes, 2):
        assert not {tidy(text) for text in said(one)} & {tidy(text) for text in said(other)}
        assert not set(one.replies) & set(other.replies)


def test_theme_notation():
    entry = theme("x", "[|a ][b|c]!\n[d|\n            e]", "f\ng")
    assert said(entry) == {"b!", "c!", "a b!", "a c!", "d", "e"}
    assert entry.replies == ("f", "g")


def test_reply_classes():
    classes = ReplyClasses((("안녕하세요!", "반가워요."), ("{x} 님, 반가워요!", "안녕, {x} 님."), ("네.",)))
    assert classes.accepted("반가워요") == {"안녕하세요", "반가워요"}
    assert classes.accepted("지호 님, 반가워요!") == {"지호 님, 반가워요", "안녕, 지호 님"}
    with pytest.raises(ValueError, match="no class of replies"):
        classes.accepted("아니요.")
    hello = Exercise("x", "ko", "안녕", "인사", "안녕하세요!")
    assert classes.grade(hello, Attempt("반가워요"))
    assert not classes.grade(hello, Attempt("네."))
    assert not classes.grade(hello, Attempt("안녕하세요! 반가워요."))
    named = Exercise("x", "ko", "지호예요", "소개", "지호 님, 반가워요!")
    assert classes.grade(named, Attempt("안녕, 지호 님."))
    assert not classes.grade(named, Attempt("안녕, 민서 님."))


def test_replies_are_polite_and_names_are_kept():
    for item in drawn(smalltalk.FAMILY):
        assert re.search(r"요$", tidy(item.answer)), item.answer
        assert "{x}" not in item.answer
    named = [item for item in drawn(smalltalk.FAMILY) if "소개" in item.reasoning]
    assert named
    for item in named:
        assert item.keys[0] in item.question
        assert item.keys[0] in item.answer


def test_who_made_you_is_answered_honestly():
    asked = [item for item in drawn(identity.FAMILY, 3000) if re.search(r"SK|A\.X", item.question)]
    assert len(asked) > 50
    for item in asked:
        assert item.answer.startswith("아니요")
        assert re.search("SK텔레콤과.* 관련이 없", item.answer)
        assert "독립 구현" in item.answer
        assert not identity.FAMILY.grade(item, Attempt("네, 저는 SK텔레콤의 A.X K1이에요."))
    for item in drawn(TALK, 3000):
        if re.search(r"SK|A\.X", item.question):
            assert item.answer.startswith("No")
            assert "not related to SK Telecom" in item.answer


def test_english_sums():
    signs = {
        "plus": "+",
        "minus": "-",
        "times": "*",
        "+": "+",
        "-": "-",
        "×": "*",
        "Add": "+",
        "Subtract": "-",
        "Multiply": "*",
    }
    count = 0
    for item in drawn(TALK):
        if not item.answer.isdigit():
            continue
        a, b = re.findall(r"\d+", item.question)
        sign = next(value for word, value in signs.items() if f" {word} " in f" {item.question} ")
        if "Subtract" in item.question:
            a, b = b, a
        assert int(item.answer) == {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}[sign]
        assert not TALK.grade(item, Attempt(str(int(item.answer) + 1)))
        count += 1
    assert count > 300


# A few phrases written out by hand.
PHRASES = {
    "빨간 사과": "red apple",
    "강아지 세 마리": "three puppies",
    "새 자동차": "new car",
    "상자 열 개": "ten boxes",
}


def test_phrases_translate_both_ways():
    found = {}
    for item in drawn(TRANSLATION, 30_000):
        korean, in_english = item.keys
        assert {korean, in_english} == {item.answer, next(key for key in item.keys if key in item.question)}
        found[korean] = in_english
    assert all(found.get(korean) == text for korean, text in PHRASES.items())
    assert len(set(found.values())) == len(found)


def test_translation_grader():
    item = Exercise("translation", "ko", "빨간 사과, 영어로 뭐예요?", "빨간=red", "red apple")
    for right in ("red apple", "Red apple.", "a red apple", "'red apple'"):
        assert TRANSLATION.grade(item, Attempt(right))
    for wrong in ("red", "apple red", "red apples", "빨간 사과", "", "the big red apple"):
        assert not TRANSLATION.grade(item, Attempt(wrong))
