"""Unwanted advertising against messages of everyday life."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Side, side_of
from axk1.corpus.families.classify.label import Labelled

LABELS = ("스팸", "정상")
_OPENINGS = (
    "축하합니다!",
    "고객님께만 드리는 기회!",
    "오늘 하루만!",
    "놓치면 후회합니다!",
    "선착순 모집!",
    "단독 공개!",
)
_OFFERS = (
    "무료 쿠폰에 당첨되셨습니다.",
    "최대 90% 할인해 드립니다.",
    "무담보로 바로 대출해 드립니다.",
    "하루 한 시간으로 큰돈을 법니다.",
    "수익을 두 배로 보장합니다.",
    "공짜 경품을 드립니다.",
    "살이 저절로 빠집니다.",
)
_PUSHES = (
    "아래 주소를 누르세요.",
    "지금 바로 전화하세요.",
    "링크에 접속하세요.",
    "계좌 번호를 입력하세요.",
    "이 번호로 문자하세요.",
    "지금 가입하세요.",
)

_GREETINGS = ("안녕하세요.", "엄마,", "팀장님,", "선생님,", "잘 지냈어요?", "민수 씨,")
_NEWS = (
    "오늘 회의는 3시예요.",
    "택배가 문 앞에 있어요.",
    "저는 집에 잘 도착했어요.",
    "내일 수업이 한 시간 늦춰졌어요.",
    "부탁하신 자료를 다 썼어요.",
    "주말에 비가 온대요.",
    "저녁은 밖에서 먹을게요.",
)
_CLOSINGS = ("이따가 봬요.", "확인 부탁드려요.", "조심히 오세요.", "다시 연락드릴게요.", "우산 챙기세요.", "고마워요.")
_KINDS = ((_OPENINGS, _OFFERS, _PUSHES), (_GREETINGS, _NEWS, _CLOSINGS))


def text_message(rng: random.Random, side: Side) -> Labelled:
    """Two or three phrases, all advertising or all from a person one knows."""
    while True:
        kind = rng.randrange(2)
        first, second, third = (rng.choice(phrases) for phrases in _KINDS[kind])
        text = rng.choice((f"{first} {second} {third}", f"{first} {second}", f"{second} {third}"))
        if side_of(text) == side:
            return Labelled(text, LABELS[kind], f"{second} → {LABELS[kind]}", text)
