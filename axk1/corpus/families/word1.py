"""One-step word problems: gains, losses, groups and equal shares."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Exercise, Family, Side
from axk1.corpus.families.results import last_number, same_result
from axk1.corpus.families.stories import read, tell

STORIES = read(
    """
# own a+b 3-99 2-60
{N:은} {t:을} {a}{c} 가지고 있었{다}. {M}에게 {b}{c:을} 더 받았{다}. {t:은} 모두 몇 {c}{인가}?
{N:은} {t:을} 어제 {a}{c}, 오늘 {b}{c} 샀{다}. 모두 몇 {c:을} 샀{까}?
{N:은} {t:을} {a}{c}, {M:은} {b}{c} 가지고 있{다}. 두 사람이 가진 {t:은} 모두 몇 {c}{인가}?
할머니께서 {t:을} {a}{c}, 할아버지께서 {b}{c} 주셨{다}. 모두 몇 {c:을} 주셨{까}?
{N:은} {t:을} {a}{c} 모았{다}. {M:은} {N}보다 {b}{c} 더 모았{다}. {M:이} 모은 {t:은} 몇 {c}{인가}?
# own a-b 10-99 2-60
{N:은} {t:을} {a}{c} 가지고 있었{다}. {M}에게 {b}{c:을} 주었{다}. 남은 {t:은} 몇 {c}{인가}?
{N:은} {t:을} {a}{c} 샀{다}. 그중 {b}{c:을} 선물했{다}. 몇 {c:이} 남았{까}?
교실에 {t:이} {a}{c} 있었{다}. 선생님께서 {b}{c:을} 나누어 주셨{다}. 몇 {c:이} 남았{까}?
{N:은} {t:을} {a}{c}, {M:은} {b}{c} 가지고 있{다}. {N:은} {M}보다 몇 {c} 더 가지고 있{까}?
{N:은} {t:을} {a}{c} 모았{다}. {M:은} {N}보다 {b}{c} 적게 모았{다}. {M:이} 모은 {t:은} 몇 {c}{인가}?
# food a-b 10-99 2-60
어머니께서 {t:을} {a}{c} 사 오셨{다}. {N:이} {b}{c:을} 먹었{다}. 몇 {c:이} 남았{까}?
접시에 {t:이} {a}{c} 있었{다}. 손님들께서 {b}{c:을} 드셨{다}. 남은 {t:은} 몇 {c}{인가}?
# stock a-b 10-99 2-60
가게에 {t:이} {a}{c} 있었{다}. 오늘 {b}{c:을} 팔았{다}. 남은 {t:은} 몇 {c}{인가}?
# stock a+b 3-99 2-60
가게에 {t:이} {a}{c} 있었{다}. 오늘 {b}{c:이} 더 들어왔{다}. {t:은} 모두 몇 {c}{인가}?
# animal a+b 3-99 2-60
농장에 {t:이} {a}{c} 있었{다}. {b}{c:을} 더 데려왔{다}. 모두 몇 {c:이} 있{까}?
# animal a-b 10-99 2-60
들판에 {t:이} {a}{c} 있었{다}. {b}{c:이} 떠났{다}. 몇 {c:이} 남았{까}?
# crowd a+b 3-99 2-60
강당에 {t:이} {a}{c} 있었{다}. {b}{c:이} 더 들어왔{다}. 지금 모두 몇 {c}{인가}?
# fish a+b 3-99 2-60
수족관에 {t:이} {a}{c} 있었{다}. {b}{c:을} 더 넣었{다}. 모두 몇 {c}{인가}?
# rider a-b 10-99 2-60
기차에 {t:이} {a}{c} 타고 있었{다}. {b}{c:이} 내렸{다}. 몇 {c:이} 남았{까}?
# vehicle a-b 10-99 2-60
주차장에 {t:이} {a}{c} 있었{다}. {b}{c:이} 나갔{다}. 남은 {t:은} 몇 {c}{인가}?
# tree a+b 3-99 2-60
언덕에 {t:이} {a}{c} 있{다}. 오늘 {b}{c:을} 더 심었{다}. 모두 몇 {c}{인가}?
# own a×b 2-12 2-9
{t:이} 한 상자에 {a}{c}씩 {b}상자 있{다}. 모두 몇 {c}{인가}?
{N:은} {t:을} 날마다 {a}{c}씩 {b}일 동안 모았{다}. 모두 몇 {c:을} 모았{까}?
선생님께서 학생 {b}명에게 {t:을} {a}{c}씩 나누어 주셨{다}. 모두 몇 {c:을} 나누어 주셨{까}?
# crowd a×b 2-12 2-9
{t:이} 한 줄에 {a}{c}씩 {b}줄로 서 있{다}. 모두 몇 {c}{인가}?
# own a÷b 4-81 2-9
{t} {a}{c:을} {b}명이 똑같이 나누어 가졌{다}. 한 명이 몇 {c}씩 가졌{까}?
선생님께서 {t} {a}{c:을} 학생 {b}명에게 똑같이 나누어 주셨{다}. 한 명이 몇 {c}씩 받았{까}?
{N:은} {t} {a}{c:을} 상자 {b}개에 똑같이 나누어 담았{다}. 한 상자에 몇 {c}씩 담았{까}?
# -살 a+b 14-40 2-12
올해 {a}살인 {N:은} {b}년 뒤에 몇 살{인가}?
# -살 a-b 14-40 2-12
올해 {a}살인 {N:은} {b}년 전에 몇 살이었{까}?
"""
)


def make(rng: random.Random, side: Side) -> Exercise:
    """A story of one step."""
    return tell(rng, side, STORIES[int(rng.random() * len(STORIES))], "word1")


FAMILY = Family("word1", "한 단계 문장제", "one-step word problems", make, same_result, last_number)
