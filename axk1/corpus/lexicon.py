"""Words that several families share: people's names, places, days, and what people do to which things where.

Names and places are composed of pieces, so that a held-out name is new as a whole and made of pieces seen in training.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from axk1.corpus.conjugation import Predicate, predicate
from axk1.corpus.exercise import FIRST_OWNED, Side, side_of
from axk1.corpus.korean import WEEKDAYS, Noun


def words(text: str, separator: str = " ") -> tuple[str, ...]:
    """The entries of a list written on one line."""
    return tuple(text.split(separator))


FAMILY_NAMES = tuple("김이박최정강조윤장임한오")
_FIRST = tuple("민서지하도예수은유준태현승다")
_SECOND = tuple("준서우윤아은호진영빈원연현희")
_WORDS = frozenset(
    words(
        "도서 유서 수은 수준 지진 수원 수현 지우 하은 은우 다원 도우 태우 수서 지서 승서 하서 태서 유은 예유 민원 은연"
    )
)  # of these pieces, but words with a meaning of their own, or hardly anybody's name
GIVEN_NAMES = tuple(a + b for a in _FIRST for b in _SECOND if a != b and a + b not in _WORDS)

CITIES = words(
    "서울 부산 대구 인천 광주 대전 울산 세종 춘천 강릉 원주 청주 충주 전주 군산 목포 여수 순천 포항 경주 안동 제주"
)
LANDMARKS = words("시립도서관 중앙시장 버스터미널 시민공원 미술관 박물관 체육관 대학교 소방서 우체국 과학관")
DAYS = ("오늘", "내일", "모레", *WEEKDAYS)
_DRAWS = 2000  # one in eight is held out: a pool that has any will give it long before
_SPOTS = ("역 앞", "학교 옆", "시청 뒤", "공원 근처", "골목 안", "호숫가", "시장 입구", "언덕 위", "다리 건너", "동네")


def choose(rng: random.Random, pool: Sequence[str]) -> Noun:
    """A member of a pool that both sides share."""
    return Noun(pool[int(rng.random() * len(pool))])


def compose(rng: random.Random, side: Side, *pools: Sequence[str], joiner: str = " ") -> Noun:
    """One piece from each pool, joined; drawn until it lies on `side`. ValueError when the pools are too small."""
    for _ in range(_DRAWS):
        whole = joiner.join([pool[int(rng.random() * len(pool))] for pool in pools])
        if side_of(whole) == side:
            return Noun(whole)
    raise ValueError(
        f"nothing composed like {joiner.join(pool[0] for pool in pools)!r} lies on the {side} side: enlarge the pools"
    )


def integer_keys(*numbers: int) -> tuple[str, ...]:
    """Keys of the numbers that belong to one side only."""
    return tuple(f"integer {number}" for number in numbers if number >= FIRST_OWNED)


def given_name(rng: random.Random, side: Side) -> Noun:
    """A given name: 민서."""
    return compose(rng, side, GIVEN_NAMES)


def full_name(rng: random.Random, side: Side) -> Noun:
    """A family name and a given name: 김민서."""
    return compose(rng, side, FAMILY_NAMES, GIVEN_NAMES, joiner="")


_ONSETS = words("Ro Ma Lu Ka Ti Jo Be Sa No El")
_CODAS = words("na ra len vin ry sa bert mi dan lia")
_FIRST_NAMES = tuple(a + b for a in _ONSETS for b in _CODAS)
_SURNAMES = words("Parker Brooks Hayes Reed Stone Walsh Foster Lane Grant Wells")


def english_name(rng: random.Random, side: Side) -> Noun:
    """An English first name: Luna."""
    return compose(rng, side, _ONSETS, _CODAS, joiner="")


def english_person(rng: random.Random, side: Side) -> Noun:
    """An English name: Luna Reed."""
    return compose(rng, side, _FIRST_NAMES, _SURNAMES)


def spot(rng: random.Random, place: str) -> Noun:
    """`place` with where it lies: 역 앞 꽃집, never 학교 옆 학교; on either side."""
    while True:
        where = _SPOTS[int(rng.random() * len(_SPOTS))]
        if not where.startswith(place):
            return Noun(f"{where} {place}")


@dataclass(frozen=True)
class Action:
    """A verb with the objects it may take and the places where one does it."""

    verb: Predicate
    objects: tuple[str, ...]
    places: tuple[str, ...]


_ACTIONS = """
먹 먹어 | 김밥,국수,떡볶이,샌드위치,빵,비빔밥 | 식당,교실,공원,집
마시 마셔 | 커피,우유,녹차,주스,물 | 카페,부엌,사무실,집
읽 읽어 | 책,소설,신문,잡지,동화 | 도서관,서점,카페,공원
듣 들어 들으 | 음악,라디오,강의,노래 | 교실,카페,공원,집
보 봐 | 영화,연극,사진,그림,공연 | 극장,학교,회관,미술관
하 해 | 숙제,청소,운동,공부 | 학교,집,교실,체육관
쓰 써 | 편지,일기,시,보고서 | 도서관,사무실,카페,집
그리 그려 | 그림,지도,만화 | 미술관,교실,공원,집
사 사 | 옷,신발,모자,가방,우산,장갑 | 시장,백화점,가게
공부하 공부해 | 영어,역사,한자,과학 | 도서관,교실,집
가르치 가르쳐 | 수학,영어,한국어,과학 | 학교,학원,회관
만들 만들어 | 쿠키,의자,연,목걸이,종이배 | 학교,공방,교실,집
굽 구워 구우 | 빵,고구마,생선,쿠키 | 부엌,집,공방
심 심어 | 꽃,나무,상추,감자 | 공원,마당,학교
찍 찍어 | 사진,영상 | 공원,미술관,바닷가
빌리 빌려 | 책,자전거,우산,공구 | 도서관,회관,학교
고치 고쳐 | 시계,의자,컴퓨터,자전거 | 공방,사무실,집
씻 씻어 | 그릇,과일,채소,신발 | 부엌,마당,집
닦 닦아 | 창문,책상,바닥,거울 | 교실,사무실,집
옮기 옮겨 | 상자,책상,짐,화분 | 교실,사무실,마당
부르 불러 | 노래,동요 | 무대,교실,공원
치 쳐 | 피아노,기타,북 | 무대,학교,집
연습하 연습해 | 춤,노래,발표,연극 | 무대,교실,회관
준비하 준비해 | 저녁,발표,회의,선물 | 사무실,집,회관
정리하 정리해 | 책장,서류,창고,옷장 | 사무실,도서관,집
기다리 기다려 | 친구,버스,동생,손님 | 역,카페,정류장
만나 만나 | 친구,선생님,삼촌,손님 | 역,카페,공원
돕 도와 도우 | 할머니,친구,동생,이웃 | 시장,학교,집
찾 찾아 | 열쇠,지갑,안경,책 | 교실,사무실,집
팔 팔아 | 과일,꽃,생선,모자 | 시장,가게
"""


def _action(line: str) -> Action:
    verb, objects, places = line.split(" | ")
    return Action(predicate(verb), tuple(objects.split(",")), tuple(places.split(",")))


ACTIONS = tuple(_action(line) for line in _ACTIONS.strip().split("\n"))
