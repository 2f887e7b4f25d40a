"""What a sentence does: it asks, requests, tells or proposes. The ending shows it, in every speech level."""

from __future__ import annotations

import random
from dataclasses import dataclass

from axk1.corpus.exercise import Side
from axk1.corpus.families.classify.label import Labelled
from axk1.corpus.scenes import FUTURE_TIMES, NOBODY, OTHERS, PAST_TIMES, PRESENT_TIMES, Subject, draw_scene

LABELS = ("질문", "부탁", "설명", "제안")
_AT_ONCE = ("", "지금", "빨리", "이따가")
_TOGETHER: tuple[Subject, ...] = (("우리", "우리"), ("같이", "같이"), ("", ""))


@dataclass(frozen=True)
class _Act:
    label: str
    times: tuple[str, ...]
    subjects: tuple[Subject, ...]
    endings: tuple[str, ...]


_ACTS = (
    _Act(
        "질문", PAST_TIMES, OTHERS, ("{v.past}어요?", "{v.past}니?", "{v.past}나요?", "{v.past}습니까?", "{v.past}어?")
    ),
    _Act(
        "부탁",
        _AT_ONCE,
        NOBODY,
        ("{v.infinitive} 주세요.", "{v.infinitive} 줘.", "{v.infinitive} 줄래?", "{v.infinitive} 주시겠어요?"),
    ),
    _Act("설명", PAST_TIMES, OTHERS, ("{v.past}어요.", "{v.past}다.", "{v.past}습니다.", "{v.past}어.")),
    _Act("제안", FUTURE_TIMES, _TOGETHER, ("{v.prospective}까요?", "{v.stem}자.", "{v.joint}.", "{v.prospective}까?")),
)
_MORE = {
    "질문": _Act(
        "질문", FUTURE_TIMES, OTHERS, ("{v.prospective} 거예요?", "{v.prospective} 거니?", "{v.prospective} 겁니까?")
    ),
    "부탁": _Act(
        "부탁", ("", "지금", "이제"), NOBODY, ("{v.stem}지 마세요.", "{v.stem}지 말아 줘.", "{v.stem}지 말아 주세요.")
    ),
    "설명": _Act("설명", PRESENT_TIMES, OTHERS, ("{v.infinitive}요.", "{v.written}.", "{v.formal}.")),
}


def speech_act(rng: random.Random, side: Side) -> Labelled:
    """A sentence that does one of four things."""
    act = _ACTS[int(rng.random() * len(_ACTS))]
    if rng.random() < 0.4:
        act = _MORE.get(act.label, act)
    scene = draw_scene(rng, side, act.times, act.subjects)
    ending = rng.choice(act.endings)
    text = scene.sentence(scene.subject[1], ending)
    return Labelled(text, act.label, f"{ending.format(v=scene.action.verb).rstrip('.')} → {act.label}", scene.key)
