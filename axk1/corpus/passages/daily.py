"""Diaries and letters: what somebody did in the course of a day or a week, and how it was."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Side
from axk1.corpus.korean import MONTH_DAYS, WEEKDAYS, Noun, date, friend
from axk1.corpus.lexicon import choose, compose, given_name, words
from axk1.corpus.scenes import ANY_TIME, NOBODY, Scene, draw_scene

_SKIES = ("맑음", "흐림", "비", "눈", "바람", "구름 조금", "안개")
_HOURS = ("아침에", "오전에", "점심때", "오후에", "해 질 무렵에", "저녁에", "밤에")
_LINKS = ("", "", "그리고 ", "그다음에 ", "이어서 ", "그 뒤에 ")
_ENDINGS = {"written": "{v.past}다.", "polite": "{v.past}어요.", "casual": "{v.past}어."}
_FEELINGS = {
    "written": (
        "생각보다 오래 걸렸다.",
        "조금 힘들었지만 뿌듯했다.",
        "시간 가는 줄 몰랐다.",
        "처음에는 서툴렀지만 곧 익숙해졌다.",
        "오랜만이라 더 즐거웠다.",
        "마음이 편안해졌다.",
        "다음에는 더 잘하고 싶다.",
        "예상과 달라서 놀랐다.",
    ),
    "polite": (
        "생각보다 재미있었어요.",
        "조금 힘들었지만 뿌듯했어요.",
        "시간 가는 줄 몰랐어요.",
        "다음에는 더 잘하고 싶어요.",
        "오랜만이라 더 즐거웠어요.",
        "처음이라 조금 떨렸어요.",
    ),
    "casual": (
        "생각보다 재미있었어.",
        "조금 힘들었지만 뿌듯했어.",
        "시간 가는 줄 몰랐어.",
        "다음에는 더 잘하고 싶어.",
        "오랜만이라 더 즐거웠어.",
        "처음이라 조금 떨렸어.",
    ),
}
_CLOSINGS = (
    "참 즐거운 하루였다.",
    "내일도 오늘만 같으면 좋겠다.",
    "피곤하지만 기분이 좋다.",
    "이제 일기를 덮고 자야겠다.",
    "오늘 일을 오래 기억하고 싶다.",
    "내일은 일찍 일어나야겠다.",
)
_TOGETHER = ("같이", "함께", "둘이서")


def diary(rng: random.Random, side: Side) -> str:
    """A diary entry of a day in the written style."""
    month = rng.randint(1, 12)
    head = f"{date(month, rng.randint(1, MONTH_DAYS[month - 1]))} {rng.choice(WEEKDAYS)}, {rng.choice(_SKIES)}"
    first = rng.randrange(3)
    said = []
    for at in range(first, min(first + rng.randint(2, 5), len(_HOURS))):
        said.append(_moment(rng, side, _HOURS[at], "written"))
        if rng.random() < 0.4:
            said.append(rng.choice(_FEELINGS["written"]))
    said.append(rng.choice(_CLOSINGS))
    return f"{head}\n{' '.join(said)}"


def _moment(rng: random.Random, side: Side, time: str, level: str) -> str:
    """What one did then, alone or with somebody, sometimes two things in one sentence."""
    scene = draw_scene(rng, side, ANY_TIME, NOBODY)
    link = rng.choice(_LINKS) if not time else ""
    who = f"{given_name(rng, side):과} {rng.choice(_TOGETHER)}" if rng.random() < 0.3 else ""
    first = " ".join(part for part in (time, who) if part)
    lead = f"{link}{first} " if first else link
    if rng.random() < 0.35:
        before = draw_scene(rng, side, ANY_TIME, NOBODY)
        lead += before.sentence("", "{v.stem}고") + " "
    return lead + scene.sentence("", _ENDINGS[level])


_GREETINGS = {
    "casual": ("잘 지내고 있니?", "그동안 잘 지냈어?", "요즘 어떻게 지내?", "오랜만에 편지를 쓴다."),
    "polite": ("잘 지내고 계신가요?", "그동안 안녕하셨어요?", "요즘 어떻게 지내세요?", "오랜만에 편지를 드려요."),
}
_WISHES = {
    "casual": ("다음에는 같이 가자.", "보고 싶다. 곧 만나자.", "답장 기다릴게.", "건강하게 지내. 또 쓸게."),
    "polite": ("다음에는 같이 가요.", "보고 싶어요. 곧 만나요.", "답장 기다릴게요.", "건강하게 지내세요. 또 쓸게요."),
}


def letter(rng: random.Random, side: Side) -> str:
    """A short letter to a friend, in 반말 or in 해요체 throughout."""
    level = "casual" if rng.random() < 0.5 else "polite"
    to, sender = given_name(rng, side), given_name(rng, side)
    opening = f"{to}에게" if level == "casual" else f"{to} 님께"
    said = [rng.choice(_GREETINGS[level])]
    said += [_moment(rng, side, rng.choice(("어제", "지난주에", "오늘 아침에", "얼마 전에")), level)]
    said += [rng.choice(_FEELINGS[level]), _plan(draw_scene(rng, side, ANY_TIME, NOBODY), rng, level)]
    said.append(rng.choice(_WISHES[level]))
    signature = f"{Noun(friend(sender)):이}" if level == "casual" else f"{sender} 드림"
    return f"{opening}\n{' '.join(said)}\n{signature}"


def _plan(scene: Scene, rng: random.Random, level: str) -> str:
    time = rng.choice(("내일", "주말에", "다음 주에", "모레"))
    ending = "{v.prospective} 거야." if level == "casual" else "{v.prospective} 거예요."
    return f"{time} {scene.sentence('', ending)}"


_GOODS = words("가방 책상 의자 시계 우산 신발 화분 담요 컵 모자 전등 자전거")
_QUALITIES = (
    ("튼튼하고", "가벼워서"),
    ("색이 곱고", "마음에 들어서"),
    ("값이 싸고", "쓰기 편해서"),
    ("조금 무겁지만", "오래 쓸 수 있어서"),
    ("작지만", "쓸모가 많아서"),
)
_VERDICTS = (
    "자주 쓰게 된다.",
    "하나 더 사고 싶다.",
    "친구에게도 권했다.",
    "벌써 몇 달째 잘 쓰고 있다.",
    "참 만족스럽다.",
)


def possession(rng: random.Random, side: Side) -> str:
    """What somebody bought and thinks of it."""
    thing, given = choose(rng, _GOODS), given_name(rng, side)
    shop = compose(
        rng, side, ("역 앞", "시장 안", "학교 옆", "새로 생긴", "골목 끝"), ("가게", "상점", "매장", "백화점")
    )
    quality = " ".join(rng.choice(_QUALITIES))
    bought = rng.choice(
        (f"{shop}에서 {thing:을} 샀다.", f"{given:이} {thing:을} 선물해 주었다.", f"{thing:을} 하나 새로 마련했다.")
    )
    return (
        f"{rng.choice(('지난달에', '며칠 전에', '생일에', '지난 주말에'))} {bought} {quality} {rng.choice(_VERDICTS)}"
    )
