"""How an attempt is compared with the answer: exactly, up to spaces and closing punctuation, or by class of reply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from axk1.corpus.exercise import Attempt, Call, Exercise
from axk1.corpus.korean import josa

_CLOSING = " .!?。"


def tidy(text: str) -> str:
    """`text` with single spaces and without closing punctuation."""
    return " ".join(text.split()).rstrip(_CLOSING)


def same_text(exercise: Exercise, attempt: Attempt) -> bool:
    """The attempt says the answer and calls no tool."""
    return not attempt.calls and bool(attempt.text.strip()) and tidy(attempt.text) == tidy(exercise.answer)


def same_span(exercise: Exercise, attempt: Attempt) -> bool:
    """The attempt is the answer, bare or as a sentence (…이에요, …입니다), and calls no tool."""
    right = tidy(exercise.answer)
    return not attempt.calls and tidy(attempt.text) in {
        right,
        *(josa(right, pair) for pair in ("이에요/예요", "이다/다")),
        right + "입니다",
    }


def same_call(exercise: Exercise, attempt: Attempt) -> bool:
    """The attempt makes exactly the one right call: name, arguments, and their JSON types."""
    right = exercise.call
    assert right is not None
    return len(attempt.calls) == 1 and attempt.calls[0].name == right.name and _same(attempt.calls[0], right)


def _same(one: Call, other: Call) -> bool:
    return _typed(one.arguments) == _typed(other.arguments)


def _typed(arguments: Mapping[str, Any]) -> dict[str, tuple[type, Any]]:
    """Each value with its type, because Python holds True == 1 == 1.0."""
    return {name: (type(value), value) for name, value in arguments.items()}


class ReplyClasses:
    """Groups of replies that say the same thing; one {x} in a template must be filled as in the answer."""

    def __init__(self, groups: Iterable[Sequence[str]]) -> None:
        self._groups = tuple(tuple(tidy(reply) for reply in group) for group in groups)

    def accepted(self, answer: str) -> frozenset[str]:
        """Every reply as good as `answer`, tidied."""
        wanted = tidy(answer)
        for group in self._groups:
            for template in group:
                filling = _filling(template, wanted)
                if filling is not None:
                    return frozenset(reply.replace("{x}", filling) for reply in group)
        raise ValueError(f"no class of replies holds {answer!r}")

    def grade(self, exercise: Exercise, attempt: Attempt) -> bool:
        """The attempt calls no tool and says what belongs to the answer's class."""
        return not attempt.calls and tidy(attempt.text) in self.accepted(exercise.answer)


def _filling(template: str, text: str) -> str | None:
    """What {x} stands for if `text` is an instance of `template`, else None."""
    if "{x}" not in template:
        return "" if template == text else None
    head, tail = template.split("{x}")
    fits = len(text) > len(head) + len(tail) and text.startswith(head) and text.endswith(tail)
    return text[len(head) : len(text) - len(tail)] if fits else None
