"""The families of tool use: call the tool that fits, or say that none fits, or ask for what is missing."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Attempt, Exercise, Family, Side
from axk1.corpus.families.grading import ReplyClasses, same_call
from axk1.corpus.families.tools.home import HOME
from axk1.corpus.families.tools.industry import INDUSTRY
from axk1.corpus.families.tools.life import LIFE
from axk1.corpus.families.tools.offer import call, first_tool, offer, thought
from axk1.corpus.families.tools.skill import Skill, Verb, Wish, lines, utter, utter_vaguely

SKILLS: tuple[Skill, ...] = (*HOME, *LIFE, *INDUSTRY)
REFUSALS = (
    "죄송하지만 그 일을 할 수 있는 도구가 없어요.",
    "지금 있는 도구로는 그 일을 할 수 없어요.",
    "그 일에 맞는 도구가 없어요.",
)
_REPLIES = ReplyClasses((REFUSALS, *(skill.ask for skill in SKILLS if skill.ask)))

# Wishes that no tool of ours serves.
_FOREIGN = (
    ("택시 호출", Verb("불러", "부르기"), lines("택시 {v}\n택시 한 대 {v}\n집 앞으로 택시 {v}\n역까지 갈 택시 좀 {v}")),
    (
        "음식 배달",
        Verb("시켜", "시키기"),
        lines("피자 {v}\n치킨 한 마리 {v}\n저녁으로 피자 좀 {v}\n배고파{y}. 치킨 {v}"),
    ),
    (
        "사진 편집",
        Verb("편집해", "편집하기"),
        lines("이 사진 {v}\n어제 찍은 사진을 {v}\n사진 좀 {v}\n가족사진을 예쁘게 {v}"),
    ),
    (
        "송금",
        Verb("보내", "보내기"),
        lines("엄마에게 돈 {v}\n동생 계좌로 만 원 {v}\n월세 좀 {v}\n친구에게 삼만 원을 {v}"),
    ),
    (
        "병원 예약",
        Verb("예약해", "예약하기"),
        lines("병원 {v}\n내과 진료를 {v}\n치과 진료 좀 {v}\n목이 아파{y}. 병원 {v}"),
    ),
    (
        "청소",
        Verb("청소해", "청소하기"),
        lines("거실 바닥 {v}\n로봇 청소기로 방을 {v}\n방 좀 {v}\n먼지가 많아{y}. 거실을 {v}"),
    ),
    (
        "번역",
        Verb("번역해", "번역하기"),
        lines("이 편지 {v}\n이 글을 프랑스어로 {v}\n이 문서 좀 {v}\n글이 어려워{y}. 이걸 {v}"),
    ),
    (
        "기차표 예매",
        Verb("예매해", "예매하기"),
        lines("기차표 {v}\n부산행 기차표를 {v}\n기차표 두 장 {v}\n주말에 여행 가{y}. 기차표 {v}"),
    ),
)


def _none_fits(rng: random.Random, side: Side) -> Exercise:
    """A command that none of the listed tools serves."""
    if rng.random() < 0.25:
        topic, verb, patterns = rng.choice(_FOREIGN)
        sentence, keys = utter(rng, side, Wish(topic, verb, patterns, {}))
        why, tools = f"{topic} → 도구 없음", offer(rng, SKILLS)
    else:
        skill = SKILLS[int(rng.random() * len(SKILLS))]
        wish = skill.wish(rng, side)
        sentence, keys = utter(rng, side, wish)
        why, tools = f"{wish.topic} → {skill.spec.name} 없음", offer(rng, SKILLS, without=skill)
    return Exercise("tools_none", "ko", sentence, why, rng.choice(REFUSALS), None, tools, keys=keys)


_VAGUE = tuple(skill for skill in SKILLS if skill.vague)


def _incomplete(rng: random.Random, side: Side) -> Exercise:
    """A command that leaves out what its tool needs."""
    skill = _VAGUE[int(rng.random() * len(_VAGUE))]
    wish = skill.wish(rng, side)
    sentence, keys = utter_vaguely(rng, side, wish, skill.vague)
    why = f"{wish.topic} → {skill.spec.name}: {skill.missing}?"
    return Exercise(
        "tools_none", "ko", sentence, why, rng.choice(skill.ask), None, offer(rng, SKILLS, skill), keys=keys
    )


def _plain(rng: random.Random, side: Side, family: str) -> Exercise:
    """A command with all that its tool needs, and the tool among those listed."""
    skill = SKILLS[int(rng.random() * len(SKILLS))]
    wish = skill.wish(rng, side)
    sentence, keys = utter(rng, side, wish)
    return Exercise(
        family, "ko", sentence, thought(wish, skill), "", call(wish, skill), offer(rng, SKILLS, skill), keys=keys
    )


def _make_call(rng: random.Random, side: Side) -> Exercise:
    return _plain(rng, side, "tools")


def _make_doubtful(rng: random.Random, side: Side) -> Exercise:
    """In equal parts: nothing fits, something is missing, all is well."""
    draw = rng.random() * 3
    if draw < 1:
        return _none_fits(rng, side)
    return _incomplete(rng, side) if draw < 2 else _plain(rng, side, "tools_none")


def grade(exercise: Exercise, attempt: Attempt) -> bool:
    """The exact call where one is right, otherwise a reply of the answer's class and no call."""
    return same_call(exercise, attempt) if exercise.call else _REPLIES.grade(exercise, attempt)


def _refuse(_exercise: Exercise) -> Attempt:
    """Baseline: always that nothing fits."""
    return Attempt(REFUSALS[0])


FAMILIES = (
    Family("tools", "도구 호출", "tool calls", _make_call, grade, first_tool),
    Family(
        "tools_none",
        "도구가 없거나 정보가 모자랄 때",
        "no fitting tool, or something missing",
        _make_doubtful,
        grade,
        _refuse,
    ),
)
