"""Rewriting by rule, so that there is one right answer: speech level, joining two sentences, negation, tense."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from axk1.corpus.conjugation import predicate
from axk1.corpus.exercise import Attempt, Exercise, Family, Side
from axk1.corpus.families.grading import same_text
from axk1.corpus.scenes import (
    ANY_TIME,
    FUTURE_TIMES,
    NOBODY,
    OTHERS,
    PAST_TIMES,
    PRESENT_TIMES,
    SELVES,
    Scene,
    Subject,
    draw_named,
    draw_scene,
)

_AT_ONCE = ("", "", "지금", "빨리", "이따가")
_ONESELF = (("나는", "저는"), ("내가", "제가"), ("나도", "저도"), ("", ""))
_TOGETHER = (("", ""), ("우리", "우리"))


@dataclass(frozen=True)
class _Mood:
    """An ending in 반말, 해요체 and 합니다체 ({v} is the Predicate), with the times and subjects that suit it."""

    casual: str
    polite: str
    formal: str
    times: tuple[str, ...]
    subjects: tuple[Subject, ...]


_MOODS = (
    _Mood("{v.past}어.", "{v.past}어요.", "{v.past}습니다.", PAST_TIMES, SELVES + OTHERS),
    _Mood("{v.past}어?", "{v.past}어요?", "{v.past}습니까?", PAST_TIMES, OTHERS),
    _Mood("{v.infinitive}.", "{v.infinitive}요.", "{v.formal}.", PRESENT_TIMES, SELVES + OTHERS),
    _Mood("{v.prospective} 거야.", "{v.prospective} 거예요.", "{v.prospective} 겁니다.", FUTURE_TIMES, SELVES + OTHERS),
    _Mood("{v.prospective}게.", "{v.prospective}게요.", "{v.stem}겠습니다.", FUTURE_TIMES, _ONESELF),
    _Mood("{v.prospective}까?", "{v.prospective}까요?", "", FUTURE_TIMES, _TOGETHER),
    _Mood("{v.infinitive} 줘.", "{v.infinitive} 주세요.", "{v.infinitive} 주십시오.", _AT_ONCE, NOBODY),
    _Mood("{v.stem}지 마.", "{v.stem}지 마세요.", "{v.stem}지 마십시오.", ("", "지금", "이제"), NOBODY),
)
_FORMAL_MOODS = tuple(mood for mood in _MOODS if mood.formal)


@dataclass(frozen=True)
class _Rewriting:
    """A sentence, what becomes of it, and the change in a few words."""

    source: str
    target: str
    thought: str
    key: str


def _level(rng: random.Random, side: Side) -> tuple[_Mood, Scene]:
    mood = _MOODS[int(rng.random() * len(_MOODS))]
    return mood, draw_scene(rng, side, mood.times, mood.subjects)


def _change(scene: Scene, source: tuple[str, str], target: tuple[str, str]) -> _Rewriting:
    """The scene with subject and ending of `source`, and of `target`."""
    before, after = (form[1].format(v=scene.action.verb).rstrip(".?") for form in (source, target))
    subject = f"{source[0]} → {target[0]}, " if source[0] != target[0] else ""
    return _Rewriting(scene.sentence(*source), scene.sentence(*target), f"{subject}{before} → {after}", scene.key)


def _to_polite(rng: random.Random, side: Side) -> _Rewriting:
    mood, scene = _level(rng, side)
    return _change(scene, (scene.subject[0], mood.casual), (scene.subject[1], mood.polite))


def _to_casual(rng: random.Random, side: Side) -> _Rewriting:
    mood, scene = _level(rng, side)
    return _change(scene, (scene.subject[1], mood.polite), (scene.subject[0], mood.casual))


def _to_formal(rng: random.Random, side: Side) -> _Rewriting:
    mood = _FORMAL_MOODS[int(rng.random() * len(_FORMAL_MOODS))]
    scene = draw_scene(rng, side, mood.times, mood.subjects)
    return _change(scene, (scene.subject[1], mood.polite), (scene.subject[1], mood.formal))


def _to_negative(rng: random.Random, side: Side) -> _Rewriting:
    scene = draw_named(rng, side, PAST_TIMES[:5])
    name = scene.subject[0]
    return _change(scene, (name, "{v.past}다."), (name, "{v.stem}지 않았다."))


def _to_future(rng: random.Random, side: Side) -> _Rewriting:
    scene = draw_named(rng, side, ANY_TIME)
    name = scene.subject[0]
    return _change(scene, (name, "{v.past}다."), (name, "{v.prospective} 것이다."))


def _joined(rng: random.Random, side: Side) -> _Rewriting:
    """Two things one person did: A하였다. 그리고 B하였다. → A하고 B하였다."""
    first = draw_named(rng, side, PAST_TIMES[:5])
    second = draw_scene(rng, side, ANY_TIME, NOBODY)
    ending = second.sentence("", "{v.past}다.")
    verb = first.action.verb
    source = f"{first.sentence(first.subject[0], '{v.past}다.')} 그리고 {ending}"
    target = f"{first.sentence(first.subject[0], '{v.stem}고')} {ending}"
    return _Rewriting(source, target, f"{verb.past}다. 그리고 → {verb.stem}고", first.key)


_CAUSES = tuple(
    (words.rsplit("|", 1)[0], predicate(words.rsplit("|", 1)[1]))
    for words in """
비가|오 와
눈이|내리 내려
배가|고프 고파
시간이|남 남아
날씨가|춥 추워 추우
날씨가|좋 좋아
몸이|피곤하 피곤해
손님이|오 와
방이|덥 더워 더우
길이|막히 막혀
""".strip().split("\n")
)


def _caused(rng: random.Random, side: Side) -> _Rewriting:
    """A cause and what somebody did: A하였다. 그래서 B하였다. → A해서 B하였다."""
    cause, verb = rng.choice(_CAUSES)
    effect = draw_named(rng, side, ANY_TIME)
    sentence = effect.sentence(effect.subject[0], "{v.past}다.")
    source = f"{cause} {verb.past}다. 그래서 {sentence}"
    return _Rewriting(
        source, f"{cause} {verb.infinitive}서 {sentence}", f"{verb.past}다. 그래서 → {verb.infinitive}서", effect.key
    )


def _contrasted(rng: random.Random, side: Side) -> _Rewriting:
    """What somebody did and did not do: A하였다. 하지만 B하지 않았다. → A하였지만 B하지 않았다."""
    first = draw_named(rng, side, PAST_TIMES[:5])
    second = draw_scene(rng, side, ANY_TIME, NOBODY)
    ending = f"{second.thing:은} {second.action.verb.stem}지 않았다."
    verb = first.action.verb
    source = f"{first.sentence(first.subject[0], '{v.past}다.')} 하지만 {ending}"
    target = f"{first.sentence(first.subject[0], '{v.past}지만')} {ending}"
    return _Rewriting(source, target, f"{verb.past}다. 하지만 → {verb.past}지만", first.key)


_JOIN = ("한 문장으로 이어 주세요", "두 문장을 하나로 이어 줘", "다음 두 문장을 한 문장으로 합쳐 주세요")
_TASKS: tuple[tuple[Callable[[random.Random, Side], _Rewriting], tuple[str, ...]], ...] = (
    (_to_polite, ("존댓말로 바꿔 주세요", "다음 문장을 존댓말로 바꿔 줘", "존댓말로 고쳐 주세요")),
    (_to_casual, ("반말로 바꿔 주세요", "다음 문장을 반말로 바꿔 줘", "반말로 고쳐 주세요")),
    (
        _to_formal,
        ("'-습니다' 말투로 바꿔 주세요", "다음 문장을 '-습니다' 말투로 바꿔 줘", "격식 있는 말투로 고쳐 주세요"),
    ),
    (_to_negative, ("부정문으로 바꿔 주세요", "'-지 않았다'를 써서 바꿔 줘", "다음 문장을 부정문으로 고쳐 주세요")),
    (_to_future, ("미래의 일로 바꿔 주세요", "'-ㄹ 것이다'로 끝나게 바꿔 줘", "다음 문장을 미래로 고쳐 주세요")),
    (_joined, _JOIN),
    (_caused, _JOIN),
    (_contrasted, _JOIN),
)


def make(rng: random.Random, side: Side) -> Exercise:
    """An instruction and a sentence (or two) to rewrite."""
    task, instructions = _TASKS[int(rng.random() * len(_TASKS))]
    rewriting = task(rng, side)
    question = f"{rng.choice(instructions)}: {rewriting.source}"
    return Exercise("rewrite", "ko", question, rewriting.thought, rewriting.target, keys=(rewriting.key,))


def guess(exercise: Exercise) -> Attempt:
    """Baseline: 요 put behind what shall be polite, taken from what shall be casual; otherwise no change."""
    instruction, _, sentence = exercise.question.partition(": ")
    bare, mark = sentence[:-1], sentence[-1]
    if "존댓말" in instruction:
        return Attempt(f"{bare}요{mark}")
    return Attempt(f"{bare.removesuffix('요')}{mark}" if "반말" in instruction else sentence)


FAMILY = Family("rewrite", "바꿔 쓰기", "rewriting", make, same_text, guess)
