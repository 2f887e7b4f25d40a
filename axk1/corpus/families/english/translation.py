"""Short phrases from Korean into English and back: 빨간 사과 ↔ red apple, 사과 세 개 ↔ three apples."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from axk1.corpus.exercise import Attempt, Exercise, Family, Side, side_of
from axk1.corpus.families.grading import tidy
from axk1.corpus.korean import Noun, count
from axk1.corpus.lexicon import words

_ADJECTIVES = tuple(
    zip(
        words("빨간 파란 하얀 검은 노란 작은 큰 오래된 새 좋은 무거운 가벼운 예쁜 깨끗한 비싼 멋진"),
        words("red blue white black yellow small big old new good heavy light pretty clean expensive wonderful"),
        strict=True,
    )
)
_NUMBERS = tuple(enumerate(words("two three four five six seven eight nine ten"), start=2))
_NOUNS = """
사과 apple apples 개 | 책 book books 권 | 모자 hat hats 개 | 가방 bag bags 개 | 자동차 car cars 대
의자 chair chairs 개 | 책상 desk desks 개 | 시계 clock clocks 개 | 컵 cup cups 개 | 우산 umbrella umbrellas 개
공 ball balls 개 | 집 house houses 채 | 나무 tree trees 그루 | 꽃 flower flowers 송이 | 고양이 cat cats 마리
강아지 puppy puppies 마리 | 말 horse horses 마리 | 토끼 rabbit rabbits 마리 | 기차 train trains 대
자전거 bicycle bicycles 대 | 연필 pencil pencils 자루 | 편지 letter letters 통 | 그림 picture pictures 장
창문 window windows 개 | 상자 box boxes 개 | 열쇠 key keys 개 | 인형 doll dolls 개 | 접시 plate plates 개
전화기 phone phones 대 | 컴퓨터 computer computers 대 | 지도 map maps 장 | 달걀 egg eggs 개
당근 carrot carrots 개 | 바나나 banana bananas 개
"""


@dataclass(frozen=True)
class _Thing:
    korean: str
    singular: str
    plural: str
    counter: str


_THINGS = tuple(_Thing(*entry.split()) for line in _NOUNS.strip().split("\n") for entry in line.split(" | "))
_TO_ENGLISH = ("{x:은} 영어로 뭐야?", "{x:을} 영어로 말해 주세요.", "영어로 옮겨 주세요: {x}", "{x}, 영어로 뭐예요?")
_TO_KOREAN = (
    "{x}, 한국어로 뭐야?",
    "이 말을 한국어로 해 줘: {x}",
    "한국어로 옮겨 주세요: {x}",
    "{x}, 한국어로 뭐예요?",
)


def _phrase(rng: random.Random, side: Side) -> tuple[str, str, str]:
    """A phrase on `side` in Korean and in English, and its parts side by side."""
    while True:
        thing = rng.choice(_THINGS)
        if rng.random() < 0.6:
            korean, english = rng.choice(_ADJECTIVES)
            phrase = (
                f"{korean} {thing.korean}",
                f"{english} {thing.singular}",
                f"{korean}={english}, {thing.korean}={thing.singular}",
            )
        else:
            number, english = rng.choice(_NUMBERS)
            counted = count(number, thing.counter)
            phrase = (
                f"{thing.korean} {counted}",
                f"{english} {thing.plural}",
                f"{thing.korean}={thing.plural}, {counted}={english}",
            )
        if side_of(phrase[0]) == side:
            return phrase


def make(rng: random.Random, side: Side) -> Exercise:
    """A phrase to be put into the other language."""
    korean, english, parts = _phrase(rng, side)
    into_english = rng.random() < 0.5
    source, target = (korean, english) if into_english else (english, korean)
    question = rng.choice(_TO_ENGLISH if into_english else _TO_KOREAN).format(x=Noun(source))
    return Exercise("translation", "ko", question, parts, target, keys=(korean, english))


_ARTICLE = re.compile(r"^(a|an|the) ")


def _bare(text: str) -> str:
    return _ARTICLE.sub("", tidy(text).lower()).strip("'\"")


def grade(exercise: Exercise, attempt: Attempt) -> bool:
    """The right phrase, whatever its capitals, with or without an article or quotes."""
    return not attempt.calls and _bare(attempt.text) == _bare(exercise.answer)


def guess(exercise: Exercise) -> Attempt:
    """Baseline: the most drawn kind of phrase, with the first words of the lists."""
    return Attempt("red apple" if "영어로" in exercise.question else "빨간 사과")


FAMILY = Family("translation", "짧은 말 번역", "translation of short phrases", make, grade, guess)
