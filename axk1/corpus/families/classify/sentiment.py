"""Reviews that praise or blame: 음식이 신선하고 직원이 친절해요. A denial turns the meaning round: 지루하지 않아요."""

from __future__ import annotations

import random
from dataclasses import dataclass

from axk1.corpus.conjugation import Predicate, predicate
from axk1.corpus.exercise import Side, side_of
from axk1.corpus.families.classify.label import Labelled

LABELS = ("긍정", "부정")

# thing | aspect | what is good about it | what is bad
_REVIEWS = """
이 식당은 | 음식이 | 맛있 맛있어, 신선하 신선해, 푸짐하 푸짐해 | 짜 짜, 싱겁 싱거워 싱거우, 느끼하 느끼해
이 식당은 | 직원이 | 친절하 친절해, 빠르 빨라, 세심하 세심해 | 불친절하 불친절해, 느리 느려, 무뚝뚝하 무뚝뚝해
이 카페는 | 자리가 | 편하 편해, 넓 넓어, 조용하 조용해 | 불편하 불편해, 좁 좁아, 시끄럽 시끄러워 시끄러우
이 카페는 | 커피가 | 향긋하 향긋해, 진하 진해, 부드럽 부드러워 부드러우 | 밍밍하 밍밍해, 쓰 써, 미지근하 미지근해
이 숙소는 | 방이 | 깨끗하 깨끗해, 아늑하 아늑해, 밝 밝아 | 더럽 더러워 더러우, 어둡 어두워 어두우, 춥 추워 추우
이 숙소는 | 침대가 | 푹신하 푹신해, 편안하 편안해, 깔끔하 깔끔해 | 딱딱하 딱딱해, 지저분하 지저분해, 비좁 비좁아
이 영화는 | 이야기가 | 재미있 재미있어, 신선하 신선해, 탄탄하 탄탄해 | 지루하 지루해, 뻔하 뻔해, 엉성하 엉성해
이 영화는 | 음악이 | 아름답 아름다워 아름다우, 훌륭하 훌륭해, 좋 좋아 | 시끄럽 시끄러워 시끄러우, 어색하 어색해
이 책은 | 내용이 | 알차 알차, 유익하 유익해, 재미있 재미있어 | 지루하 지루해, 부실하 부실해, 복잡하 복잡해
이 옷은 | 색이 | 예쁘 예뻐, 곱 고와 고우, 산뜻하 산뜻해 | 이상하 이상해, 칙칙하 칙칙해, 촌스럽 촌스러워 촌스러우
이 옷은 | 천이 | 부드럽 부드러워 부드러우, 튼튼하 튼튼해, 가볍 가벼워 가벼우 | 거칠 거칠어, 약하 약해, 뻣뻣하 뻣뻣해
이 전화기는 | 화면이 | 선명하 선명해, 밝 밝아, 깨끗하 깨끗해 | 흐리 흐려, 어둡 어두워 어두우, 답답하 답답해
이 가게는 | 배송이 | 빠르 빨라, 정확하 정확해, 안전하 안전해 | 느리 느려, 늦 늦어, 불안하 불안해
이 가게는 | 포장이 | 꼼꼼하 꼼꼼해, 튼튼하 튼튼해, 예쁘 예뻐 | 엉성하 엉성해, 부실하 부실해, 허술하 허술해
"""
_DEGREES = ("", "", "정말 ", "아주 ", "무척 ", "꽤 ", "생각보다 ")
_ENDINGS = ("{v.infinitive}요", "{v.formal}", "{v.past}어요", "{v.past}습니다", "{v.before_nieun}네요", "{v.written}")
_DENIALS = ("{v.stem}지 않아요", "{v.stem}지 않습니다", "{v.stem}지 않았어요", "{v.stem}지 않네요")


@dataclass(frozen=True)
class _Aspect:
    thing: str
    aspect: str
    judgements: tuple[tuple[Predicate, ...], tuple[Predicate, ...]]  # good, bad


def _aspect(line: str) -> _Aspect:
    thing, aspect, *sides = line.split(" | ")
    good, bad = (tuple(predicate(word, descriptive=True) for word in words.split(", ")) for words in sides)
    return _Aspect(thing, aspect, (good, bad))


_ASPECTS = tuple(_aspect(line) for line in _REVIEWS.strip().split("\n"))
_BY_THING = {entry.thing: tuple(other for other in _ASPECTS if other.thing == entry.thing) for entry in _ASPECTS}


def review(rng: random.Random, side: Side) -> Labelled:
    """A review of one or two aspects that agree, or of one denied."""
    while True:
        drawn = _denied(rng) if rng.random() < 0.25 else _said(rng)
        if side_of(drawn.key) == side:
            return drawn


def _said(rng: random.Random) -> Labelled:
    aspect, label = rng.choice(_ASPECTS), rng.randrange(2)
    verdict = rng.choice(aspect.judgements[label])
    text = f"{aspect.aspect} {rng.choice(_DEGREES)}{rng.choice(_ENDINGS).format(v=verdict)}."
    thought = f"{verdict.stem}다"
    others = [other for other in _BY_THING[aspect.thing] if other is not aspect]
    if others and rng.random() < 0.4:
        other = rng.choice(others)
        also = rng.choice(other.judgements[label])
        text, thought = f"{other.aspect} {also.stem}고 {text}", f"{also.stem}다, {thought}"
    return _labelled(rng, aspect, text, f"{thought} → {LABELS[label]}", label)


def _denied(rng: random.Random) -> Labelled:
    aspect, denied = rng.choice(_ASPECTS), rng.randrange(2)
    verdict = rng.choice(aspect.judgements[denied])
    text = f"{aspect.aspect} {rng.choice(_DENIALS).format(v=verdict)}."
    return _labelled(rng, aspect, text, f"{verdict.stem}다({LABELS[denied]})의 반대 → {LABELS[1 - denied]}", 1 - denied)


def _labelled(rng: random.Random, aspect: _Aspect, said: str, thought: str, label: int) -> Labelled:
    text = f"{aspect.thing} {said}" if rng.random() < 0.6 else said
    return Labelled(text, LABELS[label], thought, text)
