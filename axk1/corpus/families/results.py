"""Grading of answers that are one number, with its counter or unit where one was asked for."""

from __future__ import annotations

import re

from axk1.corpus.exercise import Attempt, Exercise
from axk1.corpus.families.grading import same_text
from axk1.corpus.korean import NATIVE_COUNTERS, SINO_COUNTERS, UNIT_READINGS

_NUMBER = re.compile(r"(?<![\d.,])-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_UNITS = sorted(NATIVE_COUNTERS | SINO_COUNTERS | set(UNIT_READINGS), key=len, reverse=True)
_COUNTED = re.compile(rf"({_NUMBER.pattern})(?:\s?({'|'.join(map(re.escape, _UNITS))}))?")


def numbers(text: str) -> list[str]:
    """Every number in `text`, without thousands commas, in order."""
    return [found[0].replace(",", "") for found in _NUMBER.finditer(text)]


def result(text: str) -> tuple[str, str] | None:
    """The last number of `text` and its counter or unit, "" for none; None without a number and for a question."""
    found = _COUNTED.findall(text)
    if not found or "?" in text:
        return None
    amount, unit = found[-1]
    return amount.replace(",", ""), unit


def same_result(exercise: Exercise, attempt: Attempt) -> bool:
    """The attempt calls no tool and ends in the right number with the right counter or unit, and no other."""
    return not attempt.calls and result(attempt.text) == result(exercise.answer)


def same_answer(exercise: Exercise, attempt: Attempt) -> bool:
    """An answer with one number is judged by it and its unit, any other by its text."""
    return (same_result if len(numbers(exercise.answer)) == 1 else same_text)(exercise, attempt)


def last_number(exercise: Exercise) -> Attempt:
    """The baseline of word problems: the question's last number and the counter or unit attached to it."""
    found = _COUNTED.findall(exercise.question)
    return Attempt("".join(found[-1]) if found else "0")
