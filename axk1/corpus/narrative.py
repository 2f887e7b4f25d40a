"""Plain text for pre-training, without end: diaries, notices, news, dialogues, tales, how-tos, facts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from zlib import crc32

from axk1.corpus.exercise import Side, side_of
from axk1.corpus.passages import daily, dialogue, english, instructions, knowledge, public, tale

Kind = Callable[[random.Random, Side], str]

# Each kind of text and how often it is drawn.
_KINDS: tuple[tuple[Kind, float], ...] = (
    (daily.diary, 3),
    (daily.letter, 2),
    (daily.possession, 1),
    (dialogue.chat, 3),
    (dialogue.shop, 1),
    (dialogue.directions, 1),
    (public.notice, 2),
    (public.news, 2),
    (public.weather, 1),
    (tale.tale, 2),
    (instructions.how_to, 1),
    (knowledge.animal, 1),
    (knowledge.job_or_thing, 1),
    (knowledge.word_lore, 1),
    (english.english, 2),
)


def narratives(seed: int, side: Side) -> Iterator[str]:
    """Texts without end, the same for the same arguments; no name, place or whole text lies on both sides."""
    rng = random.Random(f"narrative {seed} {side}")
    kinds, weights = zip(*_KINDS, strict=True)
    while True:
        (kind,) = rng.choices(kinds, weights)
        text = kind(rng, side)
        if side_of(f"text {crc32(text.encode('utf-8')):08x}") == side:
            yield text
