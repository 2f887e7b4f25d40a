"""Plain texts: endless, seeded, finished, and divided between the sides."""

from __future__ import annotations

import random
import re
import unicodedata
from itertools import islice

import pytest

from axk1.corpus.narrative import _KINDS, narratives
from axk1.corpus.passages import dialogue, instructions, tale

SIDES = ("train", "held_out")


def texts(side: str, count: int = 2000) -> list[str]:
    return list(islice(narratives(3, side), count))


def test_same_seed_same_texts():
    assert texts("train", 200) == texts("train", 200)
    assert texts("train", 200) != list(islice(narratives(4, "train"), 200))


def test_sides_share_no_text_and_no_named_person():
    train, held_out = (texts(side) for side in SIDES)
    assert not set(train) & set(held_out)
    speakers = [set(re.findall(r"^([가-힣]{2}): ", "\n".join(found), re.MULTILINE)) for found in (train, held_out)]
    roles = {"주인", "손님", "점원", "주민"}
    assert speakers[0] & speakers[1] <= roles
    assert len(speakers[1] - roles) >= 5


@pytest.mark.parametrize("kind", [kind for kind, _ in _KINDS], ids=lambda kind: kind.__name__)
def test_texts_are_finished(kind):
    rng = random.Random(0)
    drawn = {kind(rng, SIDES[index % 2]) for index in range(400)}
    assert len(drawn) > 40
    for text in drawn:
        assert unicodedata.is_normalized("NFC", text)
        assert text == text.strip()
        assert 10 < len(text) < 500
        assert not re.search(r"[{}|]|  |\.\.|[.?!],|None", text), text


def test_most_texts_are_new():
    found = texts("train", 3000)
    assert len(set(found)) > 2800


def test_sums_in_the_shop_are_right():
    rng = random.Random(1)
    numbers = {"한": 1, "두": 2, "세": 3, "네": 4, "다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9}
    for _ in range(300):
        text = dialogue.shop(rng, "train")
        price, total = (int(amount.replace(",", "")) for amount in re.findall(r"([\d,]+)원", text))
        wanted = re.search(r": (?:그럼 )?(\S+) \S+ (?:주세요|살게요)", text)
        assert wanted is not None
        assert total == price * numbers[wanted[1]]


def test_how_tos_keep_one_level():
    rng = random.Random(1)
    for _ in range(300):
        steps = re.split(r"[.] ?|\n", instructions.how_to(rng, "train"))
        ends = {step[-1] for step in steps if step and step[-1] in "다요"}
        assert len(ends) == 1


def test_tales_name_their_hero_and_the_friend():
    rng = random.Random(1)
    for _ in range(200):
        sentences = tale.tale(rng, "held_out").split(". ")
        assert 6 <= len(sentences) <= 8
