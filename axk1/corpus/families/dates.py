"""The calendar: weekdays, days until, days and months from a date."""

from __future__ import annotations

import random
from collections.abc import Callable

from axk1.corpus.exercise import Attempt, Exercise, Family, Side, number
from axk1.corpus.families.operands import choose, draw, keys
from axk1.corpus.families.results import same_answer
from axk1.corpus.families.steps import add, subtract
from axk1.corpus.korean import MONTH_DAYS, WEEKDAYS, Noun, date

_WEEKDAY = {
    1: ("오늘은 {w:이에요}. {n}일 뒤는 무슨 요일이에요?", "{w}에서 {n}일이 지나면 무슨 요일인가요?"),
    -1: ("오늘은 {w:이에요}. {n}일 전은 무슨 요일이에요?", "{w}의 {n}일 전은 무슨 요일인가요?"),
}
_SAME_MONTH = ("{d:은} {w:이에요}. 같은 달 {e}일은 무슨 요일이에요?", "{d:이} {w:이면} 그달 {e}일은 무슨 요일인가요?")
_UNTIL = ("오늘은 {d:이에요}. {e}까지 며칠 남았어요?", "{d:을} 기준으로 {e:은} 며칠 뒤인가요?")
_AFTER = (
    "{d}에서 {n}일 뒤는 몇 월 며칠이에요?",
    "오늘은 {d:이에요}. {n}일 뒤는 몇 월 며칠인가요?",
    "{d}의 {n}일 뒤 날짜를 알려 줘.",
)
_MONTHS = ("지금은 {m}월이에요. {n}개월 뒤는 몇 월이에요?", "{m}월에서 {n}개월이 지나면 몇 월인가요?")
_MONTHS_BEFORE = ("지금은 {m}월이에요. {n}개월 전은 몇 월이에요?", "{m}월의 {n}개월 전은 몇 월인가요?")
_NOT_FEBRUARY = (1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)  # the length of February depends on the year


def _exercise(question: str, reasoning: str, answer: str, all_keys: tuple[str, ...]) -> Exercise:
    return Exercise("dates", "ko", question, reasoning, answer, keys=all_keys)


def _walk(weekday: int, days: int, direction: int) -> tuple[str, int]:
    """How `days` from a weekday are counted: the whole weeks taken off, then day by day; and the weekday reached."""
    rest = days % 7
    weeks = f"7×{days // 7}={days - rest}, {subtract(days, days - rest)}, " if days >= 7 else ""
    path = [(weekday + direction * step) % 7 for step in range(rest + 1)]
    return weeks + "→".join(WEEKDAYS[day][0] for day in path), path[-1]


def _weekday(rng: random.Random, side: Side) -> Exercise:
    direction = 1 if rng.random() < 0.7 else -1
    label = f"weekday {direction:+d}"
    start, days = draw(rng, side, label, lambda rng, side: (rng.randrange(7), number(rng, 2, 40, side)))
    reasoning, end = _walk(start, days, direction)
    question = choose(rng, _WEEKDAY[direction]).format(w=Noun(WEEKDAYS[start]), n=days)
    return _exercise(question, reasoning, f"{WEEKDAYS[end]}이에요.", keys(label, (start, days)))


def _weekday_of_date(rng: random.Random, side: Side) -> Exercise:
    def sample(rng: random.Random, side: Side) -> tuple[int, ...]:
        month, day, later = number(rng, 1, 12, side), number(rng, 1, 27, side), number(rng, 2, 28, side)
        return (month, day, later, rng.randrange(7)) if later > day else ()

    month, day, later, start = draw(rng, side, "weekday of", sample)
    walked, end = _walk(start, later - day, 1)
    question = choose(rng, _SAME_MONTH).format(d=Noun(date(month, day)), w=Noun(WEEKDAYS[start]), e=later)
    all_keys = keys("weekday of", (month, day, later, start))
    return _exercise(question, f"{subtract(later, day)}, {walked}", f"{WEEKDAYS[end]}이에요.", all_keys)


def _until(rng: random.Random, side: Side) -> Exercise:
    def sample(rng: random.Random, side: Side) -> tuple[int, ...]:
        month, day, later = choose_month(rng), number(rng, 1, 30, side), number(rng, 1, 30, side)
        next_month = month % 12 + 1 if rng.random() < 0.5 else month
        fits = max(day, later) <= 28 if next_month == 2 else day < MONTH_DAYS[month - 1]
        return (month, day, next_month, later) if fits and (next_month != month or later > day) else ()

    month, day, end_month, later = draw(rng, side, "until", sample)
    question = choose(rng, _UNTIL).format(d=Noun(date(month, day)), e=Noun(date(end_month, later)))
    if end_month == month:
        reasoning, days = subtract(later, day), later - day
    else:
        rest = MONTH_DAYS[month - 1] - day
        days = rest + later
        reasoning = f"{month}월은 {MONTH_DAYS[month - 1]}일, {subtract(rest + day, day)}, {add(rest, later)}"
    answer = f"{days}일 남았어요." if "남았" in question else f"{days}일 뒤예요."
    return _exercise(question, reasoning, answer, keys("until", (month, day, end_month, later)))


def choose_month(rng: random.Random) -> int:
    """A month whose length is the same every year."""
    return _NOT_FEBRUARY[int(rng.random() * len(_NOT_FEBRUARY))]


def _after(rng: random.Random, side: Side) -> Exercise:
    def sample(rng: random.Random, side: Side) -> tuple[int, ...]:
        month, day, days = choose_month(rng), number(rng, 1, 30, side), number(rng, 2, 28, side)
        return (month, day, days)

    month, day, days = draw(rng, side, "after", sample)
    length = MONTH_DAYS[month - 1]
    reasoning, end_month, end = add(day, days), month, day + days
    if end > length:
        reasoning += f", {month}월은 {length}일, {subtract(end, length)}"
        end_month, end = month % 12 + 1, end - length
    question = choose(rng, _AFTER).format(d=Noun(date(month, day)), n=days)
    return _exercise(question, reasoning, f"{date(end_month, end)}이에요.", keys("after", (month, day, days)))


def _months(rng: random.Random, side: Side) -> Exercise:
    month, months = draw(rng, side, "months", lambda rng, side: (rng.randrange(1, 13), number(rng, 2, 12, side)))
    end = (month + months - 1) % 12 + 1
    turn = f", {subtract(month + months, 12)}" if month + months > 12 else ""
    question = choose(rng, _MONTHS).format(m=month, n=months)
    return _exercise(question, add(month, months) + turn, f"{end}월이에요.", keys("months", (month, months)))


def _months_before(rng: random.Random, side: Side) -> Exercise:
    month, months = draw(rng, side, "months-", lambda rng, side: (rng.randrange(1, 13), number(rng, 2, 11, side)))
    start = month if month > months else month + 12
    turn = f"{add(month, 12)}, " if start > month else ""
    question = choose(rng, _MONTHS_BEFORE).format(m=month, n=months)
    reasoning = turn + subtract(start, months)
    return _exercise(question, reasoning, f"{start - months}월이에요.", keys("months-", (month, months)))


_MAKERS: tuple[Callable[[random.Random, Side], Exercise], ...] = (
    _weekday,
    _weekday,
    _weekday_of_date,
    _until,
    _after,
    _months,
    _months_before,
)


def make(rng: random.Random, side: Side) -> Exercise:
    """One question on the calendar."""
    return rng.choice(_MAKERS)(rng, side)


def guess(exercise: Exercise) -> Attempt:
    """The middle of the week, of the month, or of the year, whichever is asked for."""
    if "무슨 요일" in exercise.question:
        return Attempt("목요일이에요.")
    if "개월" in exercise.question:
        return Attempt("6월이에요.")
    if "며칠 남" in exercise.question:
        return Attempt("15일 남았어요.")
    return Attempt("15일 뒤예요." if "며칠 뒤" in exercise.question else "6월 15일이에요.")


FAMILY = Family("dates", "날짜와 요일", "dates and weekdays", make, same_answer, guess)
