"""The numeric families against oracles of their own: arithmetic by evaluation, dates by datetime, stories by hand."""

from __future__ import annotations

import ast
import datetime as dt
import itertools
import operator
import random
import re

import pytest

from axk1.corpus.curriculum import FAMILIES
from axk1.corpus.exercise import Attempt, Exercise, owns
from axk1.corpus.families import steps, word1, word2
from axk1.corpus.families.results import numbers, result
from axk1.corpus.families.stories import tell
from axk1.corpus.families.things import KINDS, USES
from axk1.corpus.korean import NATIVE_COUNTERS, WEEKDAYS

CALCULATED = ("sum2", "drill", "arithmetic", "chain", "word1", "word2", "units", "dates", "money")


def made(name: str, count: int = 600) -> list[Exercise]:
    rng = random.Random(11)
    return [FAMILIES[name].make(rng, ("train", "held_out")[index % 4 == 0]) for index in range(count)]


OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def value(expression: str) -> float:
    """What Python makes of an expression."""
    return _evaluated(ast.parse(expression.replace("×", "*").replace("÷", "/"), mode="eval").body)


def _evaluated(node: ast.expr) -> float:
    if isinstance(node, ast.Constant):
        return node.value
    assert isinstance(node, ast.BinOp), ast.dump(node)
    return OPERATORS[type(node.op)](_evaluated(node.left), _evaluated(node.right))


@pytest.mark.parametrize("name", CALCULATED)
def test_every_equation_of_the_reasoning_holds(name):
    equations = 0
    for item in made(name):
        for part in re.split(r", | → ", item.reasoning):
            if "=" in part:
                values = {value(side) for side in part.split("=")}
                assert len(values) == 1, item
                equations += 1
    assert equations > 300


@pytest.mark.parametrize("name", [*CALCULATED, "counting", "numbers", "particles"])
def test_reasoning_is_short(name):
    lengths = [len(item.reasoning) for item in made(name)]
    assert max(lengths) <= 70
    assert sum(lengths) / len(lengths) <= (60 if name == "drill" else 35)


@pytest.mark.parametrize(
    "name", ["sum2", "drill", "arithmetic", "chain", "word1", "word2", "units", "numbers", "dates"]
)
def test_operands_lie_on_one_side(name):
    rng = random.Random(2)
    for side in ("train", "held_out"):
        for _ in range(400):
            item = FAMILIES[name].make(rng, side)
            assert all(owns(side, int(operand)) for operand in re.findall(r"\d+", item.question.replace(",", "")))


@pytest.mark.parametrize("name", ["sum2", "chain"])
def test_expression_in_the_question_has_the_answer(name):
    for item in made(name):
        found = re.match(r"[\d+×÷()-]*\d", item.question)
        assert found is not None
        if set(found[0]) & set("+-×"):
            assert value(found[0]) == int(item.answer)
        else:
            assert sum(map(int, re.findall(r"\d+", item.question))) == int(item.answer)


def test_drill_answers_every_line():
    for item in made("drill"):
        lines = item.answer.split(", ")
        assert len(set(lines)) == 4
        assert [line.split("=")[0] for line in lines] == re.findall(r"\d+[-+×]\d+", item.question)
        assert all(value(left) == int(right) for left, right in (line.split("=") for line in lines))


OPERATIONS = {"+": int.__add__, "더": int.__add__, "-": int.__sub__, "빼": int.__sub__, "차": int.__sub__}
OPERATIONS |= {"×": int.__mul__, "곱": int.__mul__, "배": int.__mul__}


def test_arithmetic():
    for item in made("arithmetic"):
        a, b = map(int, re.findall(r"\d+", item.question))
        if "나머지" in item.question:
            assert numbers(item.answer) == [str(part) for part in divmod(a, b)]
            continue
        sign = next(mark for mark in ("×", "곱", "배", "빼", "차", "더", "-", "+") if mark in item.question)
        assert OPERATIONS[sign](a, b) == int(item.answer), item


def test_money():
    for item in made("money"):
        amounts = [int(text) for text in numbers(item.question)]
        paid = amounts[-1] if "거슬러" in item.question or "거스름돈" in item.question else 0
        if "한글" in item.question or "읽어" in item.question:
            assert sino_value(item.answer.removesuffix(" 원이에요.")) == amounts[0]
        elif "숫자" in item.question:
            words = item.question.split(" 원")[0].translate(str.maketrans("123456789", "일이삼사오육칠팔구"))
            assert sino_value(words) == int(numbers(item.answer)[0])
        else:
            goods = amounts[:-1] if paid else amounts
            times = len(goods) == 2 and goods[1] < 10
            total = goods[0] * goods[1] if times else sum(goods)
            assert int(numbers(item.answer)[0]) == (paid - total if paid else total), item


def sino_value(words: str) -> int:
    """An independent reader of Sino-Korean numbers."""
    total = group = digit = 0
    for syllable in words.replace(" ", ""):
        if syllable in "일이삼사오육칠팔구":
            digit = "영일이삼사오육칠팔구".index(syllable)
        elif syllable == "만":
            total += (group + digit or 1) * 10_000
            group = digit = 0
        else:
            group += (digit or 1) * {"십": 10, "백": 100, "천": 1000}[syllable]
            digit = 0
    return total + group + digit


TENS = ["", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔"]
ONES = ["", "하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉"]
NATIVE = {tens + ones: 10 * ten + one for ten, tens in enumerate(TENS) for one, ones in enumerate(ONES)}
MODIFIERS = {"하나": "한", "둘": "두", "셋": "세", "넷": "네"}


def test_numbers():
    for item in made("numbers"):
        if "숫자로" in item.question:
            words = re.split(r"[을를은는] 숫자로", item.question)[0]
            assert NATIVE.get(words) or sino_value(words) == int(item.answer)
        else:
            wanted = int(numbers(item.question)[0])
            assert (NATIVE[item.answer] if "고유어" in item.question else sino_value(item.answer)) == wanted


def test_counting_reads_native_and_sino_by_counter():
    seen = set()
    for item in made("counting", 1500):
        found = re.fullmatch(r"(?:.* )?(\d+)([가-힣]+?)[을를] 한글로.*|", item.question)
        if found is None or not found[1] or "시 " in item.question or "월 " in item.question:
            continue
        *_, word, counter = item.answer.split(" ")
        assert counter == found[2]
        tens, one = divmod(int(found[1]), 10)
        native = TENS[tens] + MODIFIERS.get(ONES[one], ONES[one])
        expected = {"스물": "스무"}.get(native, native) if counter in NATIVE_COUNTERS else word
        assert word == expected
        if counter not in NATIVE_COUNTERS:
            assert sino_value(word) == int(found[1])
        seen.add(counter)
    assert len(seen) > 15


def test_dates_and_times_in_words():
    months = ["일월", "이월", "삼월", "사월", "오월", "유월", "칠월", "팔월", "구월", "시월", "십일월", "십이월"]
    seen = 0
    for item in made("counting", 1500):
        if found := re.match(r"(\d+)월 (\d+)일", item.question):
            month, day = item.answer.split(" ")
            assert (months.index(month) + 1, sino_value(day[:-1])) == (int(found[1]), int(found[2]))
            seen += 1
        if found := re.match(r"(\d+)시 (\d+)분", item.question):
            hour, o_clock, minute, minutes = item.answer.split(" ")
            tens, one = divmod(int(found[1]), 10)
            assert (hour, o_clock, minutes) == (TENS[tens] + MODIFIERS.get(ONES[one], ONES[one]), "시", "분")
            assert sino_value(minute) == int(found[2])
            seen += 1
    assert seen > 200


def test_units():
    factor = {"km": 1000, "kg": 1000, "L": 1000, "m": 100, "cm": 10, "시간": 60, "분": 60}
    base = {"m": "km", "g": "kg", "mL": "L", "cm": "m", "mm": "cm", "분": "시간", "초": "분"}
    part = re.compile(r"(\d+)(km|kg|mL|mm|cm|시간|시|분|초|m|g|L)")
    for item in made("units"):
        given = [(int(amount), unit) for amount, unit in part.findall(item.question)]
        told = [(int(amount), unit) for amount, unit in part.findall(item.answer)]
        if any(unit == "시" for _, unit in given):
            minutes = [amount * {"시": 60, "분": 1}[unit] for amount, unit in given]
            assert sum(minutes) == sum(amount * {"시": 60, "분": 1}[unit] for amount, unit in told), item
            continue
        units = {unit for _, unit in given + told}
        small = next(unit for unit in units if base.get(unit) in units)
        scale = {small: 1, base[small]: factor[base[small]]}
        assert sum(a * scale[unit] for a, unit in given) == sum(a * scale[unit] for a, unit in told), item


def test_dates():
    year = 2025  # any year: the questions keep away from the end of February
    for item in made("dates", 1500):
        found = [int(text) for text in numbers(item.question)]
        days = [WEEKDAYS.index(day) for day in re.findall(r"[월화수목금토일]요일", item.question)]
        if "개월" in item.question:
            month, months = found
            end = month + (-months if "전" in item.question else months)
            assert item.answer == f"{(end - 1) % 12 + 1}월이에요."
        elif days:
            shift = found[2] - found[1] if len(found) == 3 else found[0] * (-1 if "전은" in item.question else 1)
            assert item.answer == f"{WEEKDAYS[(days[0] + shift) % 7]}이에요.", item
        elif len(found) == 4:
            start, end_date = dt.date(year, *found[:2]), dt.date(year, *found[2:])
            if end_date < start:
                end_date = end_date.replace(year=year + 1)
            assert int(numbers(item.answer)[0]) == (end_date - start).days, item
        else:
            end_date = dt.date(year, *found[:2]) + dt.timedelta(found[2])
            assert item.answer == f"{end_date.month}월 {end_date.day}일이에요.", item


# A piece of a story | its numbers | the answer worked out by hand
BY_HAND = """
word1 | {b}{c:을} 더 받았{다}. {t:은} | 20 15 | 35
word1 | {M:은} {N}보다 {b}{c} 적게 | 20 15 | 5
word1 | {N:은} {M}보다 몇 {c} 더 | 20 15 | 5
word1 | {b}년 전에 | 20 5 | 15
word1 | 한 줄에 | 6 4 | 24
word1 | 상자 {b}개에 똑같이 | 24 4 | 6
word2 | {b}{c:을} 받고 {d}{c:을} 동생에게 주었{다} | 20 15 5 | 30
word2 | 둘이 모은 것 | 20 15 5 | 30
word2 | 그중 {d}{c:을} 동생에게 주었{다}. 몇 | 20 15 5 | 30
word2 | 그중 {b}{c:을} 나누어 주고 {d}{c:을} 더 샀{다} | 20 15 5 | 10
word2 | {b}{c:이} 내리고 {d}{c:이} 탔{다} | 20 15 5 | 10
word2 | 오전에 {b}{c:을} 팔고 | 40 15 5 | 20
word2 | 어제 {b}{c:을} 심고 | 20 15 5 | 40
word2 | {M:은} {N}보다 {b}{c} 더 모았{다}. 두 사람이 | 20 15 | 55
word2 | {M:은} {N}보다 {b}{c} 적게 모았{다}. 두 사람이 | 20 15 | 25
word2 | {b}줄로 앉아 | 6 4 5 | 29
word2 | {a}{c}씩 {b}상자 샀{다}. 그중 | 6 4 5 | 19
word2 | 학생 {b}명에게 {d}{c}씩 | 50 6 4 | 26
word2 | 똑같이 나누었{다}. {N:은} {d}{c:을} 더 | 24 4 5 | 11
word2 | 똑같이 나누었{다}. {N:은} {d}{c:을} 동생에게 | 24 4 5 | 1
"""


@pytest.mark.parametrize("row", BY_HAND.strip().split("\n"))
def test_story_means_its_sum(row):
    family, piece, operands, answer = row.split(" | ")
    stories = [story for story in (word1 if family == "word1" else word2).STORIES if piece in story.text]
    assert stories
    for story in stories:
        expression = story.sum
        for letter, operand in zip("abd", operands.split(), strict=False):
            expression = expression.replace(letter, operand)
        assert steps.work(expression)[1] == int(answer)


def test_every_story_can_be_told_on_both_sides():
    rng = random.Random(0)
    for family, story in itertools.chain((("word1", s) for s in word1.STORIES), (("word2", s) for s in word2.STORIES)):
        for side in ("train", "held_out"):
            item = tell(rng, side, story, family)
            assert not set(item.question) & set("{}[]/")
            assert item.answer.endswith(("이에요.", "예요."))


def test_stories_use_every_kind_of_thing():
    used = {story.use for story in (*word1.STORIES, *word2.STORIES)}
    assert used - {"-살", "-쪽"} <= USES
    phrases = [phrase for kind in KINDS for phrase in kind.phrases]
    assert len(phrases) == len(set(phrases))


@pytest.mark.parametrize("name", ["word1", "word2", "chain", "sum2", "money", "units"])
def test_near_misses_fail(name):
    family = FAMILIES[name]
    for item in made(name, 200):
        last = re.findall(r"\d[\d,]*", item.answer)
        if not last:
            continue
        number = int(last[-1].replace(",", ""))
        for wrong in (number + 1, number - 1, number * 10):
            text = item.answer.replace(last[-1], str(wrong))
            assert not family.grade(item, Attempt(text)), (item, text)
        if name.startswith("word"):
            assert not family.grade(item, Attempt(str(number))), "the counter was asked for"
            assert not family.grade(item, Attempt(re.sub(r"(?<=\d)[가-힣]+", "톨이에요", item.answer)))


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("35개예요.", ("35", "개")),
        ("정답은 35 개입니다.", ("35", "개")),
        ("12+30=42, 42-7=35", ("35", "")),
        ("3,600원이에요", ("3600", "원")),
        ("-5", ("-5", "")),
        ("0.5개", ("0.5", "개")),
        ("35마리가 남았어요.", ("35", "마리")),
        ("35개월이에요.", ("35", "개월")),
        ("35톨이에요.", ("35", "")),
        ("250mL예요.", ("250", "mL")),
        ("서른다섯 개", None),
        ("35개인가요?", None),
        ("", None),
    ],
)
def test_result(text, parsed):
    assert result(text) == parsed


def test_notation():
    assert steps.add(47, 38) == "47+38=70+15=85"
    assert steps.subtract(71, 17) == "71-17=60-6=54"
    assert steps.multiply(4, 23) == "4×23=80+12=92"
    assert steps.add_hundreds(247, 385) == "47+85=120+12=132, 500+132=632"
    assert steps.work("100-6×7") == ("6×7=42, 100-42=60-2=58", 58)
    assert steps.work("(12+7)×3") == ("12+7=10+9=19, 19×3=30+27=57", 57)
    assert steps.work("5-9") is None
    assert steps.work("7÷2") is None
    assert steps.work("150+60") is None
