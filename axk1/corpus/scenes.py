"""Scenes: who does what with which thing, where and when; and the sentences that say so in any level and mood."""

from __future__ import annotations

import random
from dataclasses import dataclass

from axk1.corpus.exercise import Side, side_of
from axk1.corpus.korean import Noun
from axk1.corpus.lexicon import ACTIONS, Action, choose, given_name

Subject = tuple[str, str]  # the same subject in 반말 and in 존댓말: the humble 저 takes the place of 나

PAST_TIMES = ("", "", "어제", "아까", "지난주에", "그저께", "오늘 아침에", "방금")
PRESENT_TIMES = ("", "매일", "지금", "요즘", "자주", "아침마다", "가끔")
FUTURE_TIMES = ("", "", "내일", "모레", "이따가", "주말에", "다음 주에", "곧")
ANY_TIME = ("",)
OTHERS: tuple[Subject, ...] = tuple((name, name) for name in ("", "친구가", "동생은", "이모가", "민지는", "형이"))
SELVES: tuple[Subject, ...] = (
    ("나는", "저는"),
    ("내가", "제가"),
    ("나도", "저도"),
    ("내 친구는", "제 친구는"),
    ("내 동생이", "제 동생이"),
)
NOBODY: tuple[Subject, ...] = (("", ""),)


@dataclass(frozen=True)
class Scene:
    """What a sentence says, without level, tense and mood."""

    action: Action
    thing: Noun
    place: str
    time: str
    subject: Subject

    @property
    def key(self) -> str:
        """The content, which lies on one side whatever form it is given."""
        return " ".join((self.subject[1], self.place, self.thing, self.action.verb.stem))

    def sentence(self, subject: str, ending: str) -> str:
        """The scene said of `subject` with `ending`, in which {v} is the Predicate: "{v.past}어요." → 먹었어요."""
        place = f"{self.place}에서" if self.place else ""
        parts = (self.time, subject, place, f"{self.thing:을}", ending.format(v=self.action.verb))
        return " ".join([part for part in parts if part])


def draw_scene(rng: random.Random, side: Side, times: tuple[str, ...], subjects: tuple[Subject, ...]) -> Scene:
    """A scene whose content lies on `side`."""
    while True:
        action = ACTIONS[int(rng.random() * len(ACTIONS))]
        place = choose(rng, action.places) if rng.random() < 0.4 else ""
        scene = Scene(action, choose(rng, action.objects), place, choose(rng, times), rng.choice(subjects))
        if side_of(scene.key) == side:
            return scene


def draw_named(rng: random.Random, side: Side, times: tuple[str, ...]) -> Scene:
    """A scene about a person with a name, the topic of the sentence."""
    name = f"{given_name(rng, side):은}"
    return draw_scene(rng, side, times, ((name, name),))
