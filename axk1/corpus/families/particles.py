"""Particles that depend on the sound before them: 책을, 사과를, 7로, 10으로."""

from __future__ import annotations

import random
from collections.abc import Callable

from axk1.corpus.exercise import Attempt, Exercise, Family, Side, number, pick
from axk1.corpus.families.grading import same_text
from axk1.corpus.families.operands import choose
from axk1.corpus.korean import final_consonant, josa, particle, sino
from axk1.corpus.lexicon import full_name

_NOUN_LIST = """
책 집 밥 국 떡 약 벽 역 목 북 옥수수 학교 교실 공원 시장 병원 은행 도서관 미술관 박물관 우체국 경찰서 소방서
버스 기차 지하철 자전거 비행기 배 물 불 달 별 길 발 말 쌀 술 칼 풀 글 얼굴 마을 가을 겨울 하늘 바늘 마늘 과일
생일 교과서 연필 서울 부산 대구 인천 광주 대전 울산 제주 사과 포도 수박 참외 딸기 감자 고구마 당근 오이 호박 무
배추 상추 시금치 콩 팥 보리 밀 옷 신발 모자 바지 치마 양말 장갑 목도리 안경 시계 꽃 나무 잎 숲 산 강 바다 섬 돌
모래 흙 구름 비 눈 바람 번개 무지개 해 낮 밤 아침 점심 저녁 봄 여름 개 고양이 토끼 사자 호랑이 곰 여우 늑대 소
돼지 닭 오리 말벌 나비 벌 개미 거미 새 참새 비둘기 까치 물고기 고래 상어 문어 오징어 게 조개 엄마 아빠 할머니
할아버지 형 누나 동생 삼촌 이모 고모 친구 선생님 의사 간호사 경찰관 소방관 요리사 가수 배우 화가 작가 기자 농부
어부 손 팔 다리 머리 코 입 귀 이마 무릎 가슴 등 배꼽 컴퓨터 전화 사진 영화 음악 그림 노래 춤 운동 축구 야구 농구
배구 수영 달리기 책상 의자 침대 거울 창문 문 부엌 방 마당 지붕 계단 열쇠 가방 지갑 우산 신문 잡지 편지 엽서 우표
공책 지우개 가위 풀잎 종이 물감 붓 칠판 분필 밭 논 들 꿈 마음 사랑 행복 희망 시간 오늘 내일 어제 주말 방학
"""
_NOUNS = tuple(_NOUN_LIST.split())
# the particle's pair and sentences in which any noun may stand
_FRAMES = {
    "을/를": ("{x} 좋아해요.", "{x} 생각했어요.", "{x} 골랐어요.", "{x} 떠올렸어요."),
    "이/가": ("{x} 좋아요.", "{x} 생각났어요.", "{x} 떠올랐어요."),
    "은/는": ("{x} 어떤가요?", "{x} 중요해요.", "{x} 괜찮아요."),
    "과/와": ("{x} 비슷해요.", "{x} 달라요.", "{x} 어울려요."),
    "으로/로": ("{x} 정했어요.", "{x} 바꾸었어요.", "{x} 골랐어요."),
    "이에요/예요": ("이것은 {x}.", "정답은 {x}.", "제가 고른 것은 {x}."),
}
_PAIRS = tuple(_FRAMES)
_FILL = ("알맞은 조사를 골라 문장을 써 줘: ", "괄호에서 알맞은 말을 골라 쓰세요: ", "조사를 바르게 골라 써 줘: ")
_CHOOSE = (
    "'{w}' 뒤에 '{a}'{and_} '{b}' 중 알맞은 것을 붙여 쓰세요.",
    "'{w}'에 '{a}'{and_} '{b}' 중 맞는 것을 붙여 줘.",
)


def _word(rng: random.Random, side: Side) -> str:
    """A noun, a full name, or a number, that lies on `side`."""
    kind = rng.random()
    if kind < 0.65:
        return pick(rng, _NOUNS, side)
    if kind < 0.8:
        return str(full_name(rng, side))
    return str(number(rng, 13, 999, side))


def _reasoning(word: str, pair: str) -> str:
    """The last sound and what follows from it: 책 받침 ㄱ → 을."""
    spoken = sino(int(word)) if word.isdigit() else word
    final = final_consonant(spoken)
    sound = f"받침 {final}" if final else "받침 없음"
    return f"{spoken[-1]} {sound} → {particle(word, pair)}"


def _exercise(question: str, word: str, pair: str, answer: str) -> Exercise:
    key = f"integer {word}" if word.isdigit() else word
    return Exercise("particles", "ko", question, _reasoning(word, pair), answer, keys=(key, f"{word} {pair}"))


def _fill(rng: random.Random, side: Side) -> Exercise:
    word, pair = _word(rng, side), choose(rng, _PAIRS)
    frame = choose(rng, _FRAMES[pair])
    question = choose(rng, _FILL) + frame.format(x=f"{word}({pair})")
    return _exercise(question, word, pair, frame.format(x=josa(word, pair)))


def _choose(rng: random.Random, side: Side) -> Exercise:
    word, pair = _word(rng, side), choose(rng, _PAIRS)
    a, b = pair.split("/") if rng.random() < 0.5 else pair.split("/")[::-1]
    question = choose(rng, _CHOOSE).format(w=word, a=a, b=b, and_=particle(a, "과/와"))
    return _exercise(question, word, pair, josa(word, pair))


_MAKERS: tuple[Callable[[random.Random, Side], Exercise], ...] = (_fill, _choose)


def make(rng: random.Random, side: Side) -> Exercise:
    """A particle to be chosen."""
    return rng.choice(_MAKERS)(rng, side)


def guess(exercise: Exercise) -> Attempt:
    """The form after a vowel, whatever the word."""
    if "(" in exercise.question:
        head, _, rest = exercise.question.partition(": ")[2].partition("(")
        options, _, tail = rest.partition(")")
        return Attempt(head + options.split("/")[1] + tail)
    word, a, b = exercise.question.split("'")[1:6:2]
    return Attempt(word + (b if f"{a}/{b}" in _FRAMES else a))


FAMILY = Family("particles", "조사 고르기", "particles", make, same_text, guess)
