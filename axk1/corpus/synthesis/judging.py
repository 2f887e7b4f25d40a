"""Rules that ask a model: a second answer to a question, and a score."""

import re

from axk1.corpus.families.results import numbers
from axk1.corpus.synthesis.rules import shared

__all__ = ["agreement", "score_of"]

_SCORE = re.compile(r"점수(?:는|\s*[:：])?\s*\**\s*([1-5])(?!\d|\.\d|\s*~|\s*점?\s*(?:에서|부터))")


def score_of(reply: str) -> int | None:
    """The last score from 1 to 5 that the judge names; None when there is none."""
    found = _SCORE.findall(reply)
    return int(found[-1]) if found else None


def agreement(answer: str, second: str) -> float:
    """How much two answers say the same, 0 to 1: by pairs of letters, the shorter one's in the longer one.

    Answers with different numbers do not agree.
    """
    first_numbers, second_numbers = set(numbers(answer)), set(numbers(second))
    if first_numbers and second_numbers and first_numbers.isdisjoint(second_numbers):
        return 0.0
    return max(shared(answer, second, 2), shared(second, answer, 2))
