"""Things that can be counted: their names, the counter that goes with them, and what may happen to them in a story."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from axk1.corpus.exercise import Side, pick
from axk1.corpus.families.operands import choose
from axk1.corpus.korean import Noun


@dataclass(frozen=True)
class Kind:
    """Things of one sort: `phrases` are the bare nouns and the nouns with an adjective, each on one side only."""

    counter: str
    phrases: tuple[str, ...]
    uses: tuple[str, ...]


# counter | nouns | adjectives | uses (own: bought, given, lost; food: eaten; crop: picked; stock: sold; goods: priced)
_KINDS = """
개 | 사과 배 귤 감 복숭아 오렌지 자두 토마토 | 잘_익은 달콤한 싱싱한 작은 큰 | own food crop stock
개 | 감자 고구마 양파 오이 당근 가지 호박 | 싱싱한 작은 큰 | crop stock own
개 | 사탕 초콜릿 쿠키 빵 찐빵 호떡 떡 젤리 도넛 | 맛있는 달콤한 작은 큰 동그란 | own food stock
개 | 구슬 지우개 풍선 단추 공 블록 팽이 고리 | 빨간 파란 노란 하얀 검은 작은 예쁜 | own stock
개 | 컵 접시 인형 화분 필통 우산 모자 쟁반 거울 액자 | 빨간 파란 하얀 작은 큰 예쁜 | goods stock
권 | 책 공책 동화책 만화책 그림책 수첩 잡지 | 새 두꺼운 얇은 재미있는 작은 | own stock goods
장 | 색종이 우표 엽서 카드 스티커 딱지 편지지 | 예쁜 새 작은 큰 오래된 | own stock
자루 | 연필 볼펜 색연필 붓 크레파스 사인펜 | 빨간 파란 노란 검은 새 긴 짧은 | own stock
송이 | 장미 튤립 국화 백합 카네이션 | 빨간 노란 하얀 예쁜 싱싱한 | own stock crop goods
병 | 주스 우유 생수 식혜 사이다 콜라 | 시원한 차가운 작은 큰 | own stock
켤레 | 양말 장갑 운동화 구두 슬리퍼 | 빨간 파란 하얀 검은 새 작은 | own stock
벌 | 셔츠 바지 한복 코트 잠옷 체육복 | 파란 하얀 새 예쁜 작은 | stock
대 | 자전거 트럭 버스 승용차 오토바이 | 빨간 파란 하얀 검은 새 작은 | vehicle
마리 | 토끼 오리 닭 양 염소 거위 비둘기 고양이 | 하얀 작은 큰 어린 귀여운 | animal
마리 | 금붕어 열대어 거북 잉어 | 작은 큰 어린 귀여운 예쁜 | fish
명 | 학생 어린이 관광객 손님 승객 | 서울에서_온 부산에서_온 모자_쓴 안경_쓴 | crowd rider
명 | 관객 회원 선수 | 처음_온 서울에서_온 부산에서_온 | crowd
그루 | 소나무 벚나무 단풍나무 은행나무 감나무 | 큰 작은 어린 오래된 키_큰 | tree
"""


def _kind(line: str) -> Kind:
    counter, nouns, adjectives, uses = (field.split() for field in line.split(" | "))
    described = (f"{adjective} {noun}".replace("_", " ") for noun in nouns for adjective in adjectives)
    return Kind(counter[0], (*nouns, *described), tuple(uses))


KINDS = tuple(_kind(line) for line in _KINDS.strip().split("\n"))
USES = frozenset(use for kind in KINDS for use in kind.uses)
_BY_USE = {use: tuple(kind for kind in KINDS if use in kind.uses) for use in USES}


def thing(rng: random.Random, side: Side, use: str) -> tuple[Noun, Noun]:
    """A thing that may be used so (a noun phrase on `side`) and its counter."""
    kinds = _BY_USE[use]
    kind = kinds[int(rng.random() * len(kinds))]
    return Noun(pick(rng, kind.phrases, side)), Noun(kind.counter)


def any_thing(rng: random.Random, side: Side, kinds: Sequence[Kind] = KINDS) -> tuple[Noun, Kind]:
    """A thing of any kind, and the kind."""
    kind = kinds[int(rng.random() * len(kinds))]
    return Noun(pick(rng, kind.phrases, side)), kind


def other_counter(rng: random.Random, kind: Kind) -> str:
    """A counter that does not go with `kind`."""
    return choose(rng, tuple(sorted({other.counter for other in KINDS} - {kind.counter})))
