"""The family of classification: four kinds of label, one task per question."""

from __future__ import annotations

import random
from collections.abc import Callable

from axk1.corpus.exercise import Attempt, Exercise, Family, Side
from axk1.corpus.families.classify import advertising, sentiment, speech_act, topic
from axk1.corpus.families.classify.label import Labelled
from axk1.corpus.families.grading import same_span

_Kind = tuple[Callable[[random.Random, Side], Labelled], tuple[str, ...], tuple[str, ...]]  # draw, labels, instructions
_KINDS: tuple[_Kind, ...] = (
    (
        sentiment.review,
        sentiment.LABELS,
        ("이 후기는 긍정인가요, 부정인가요?", "긍정과 부정 중에서 골라 줘.", "다음 후기의 감정을 분류해 주세요."),
    ),
    (
        speech_act.speech_act,
        speech_act.LABELS,
        ("질문, 부탁, 설명, 제안 중 무엇인가요?", "이 말의 의도를 분류해 줘.", "말하는 사람의 의도는 무엇인가요?"),
    ),
    (
        topic.message,
        topic.LABELS,
        ("이 글의 주제는 무엇인가요?", "주제를 한 낱말로 알려 줘.", "무엇에 대한 글인지 분류해 주세요."),
    ),
    (
        advertising.text_message,
        advertising.LABELS,
        ("이 문자는 스팸인가요, 정상인가요?", "스팸과 정상 중에서 골라 줘.", "다음 문자가 스팸인지 분류해 주세요."),
    ),
)


def make(rng: random.Random, side: Side) -> Exercise:
    """A text to be labelled."""
    draw, _, instructions = _KINDS[int(rng.random() * len(_KINDS))]
    drawn = draw(rng, side)
    question = f"{rng.choice(instructions)}\n{drawn.text}"
    return Exercise("classify", "ko", question, drawn.thought, drawn.label, keys=(drawn.key,))


def guess(exercise: Exercise) -> Attempt:
    """Baseline: knows the task by its instruction and always gives that task's first label."""
    instruction = exercise.question.split("\n")[0]
    return Attempt(next(labels[0] for _, labels, instructions in _KINDS if instruction in instructions))


FAMILY = Family("classify", "분류", "classification", make, same_span, guess)
