"""300 passages as they stand in forms, chats, notices, rulings and logs, with their personal data labelled.

Written apart from the templates of `tests/labelled_privacy.py`, and never used to tune the rules.
"""

import itertools
import random
from pathlib import Path

from axk1.corpus.narrative import narratives
from labelled_privacy import Labelled, filled

TEMPLATES = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").strip().split("\n---\n")


def passages(seed: int = 7, count: int = 300) -> list[Labelled]:
    """The templates in turn, each between sentences of the curriculum's narratives, of which nothing is labelled."""
    rng = random.Random(f"passages {seed}")
    around = (text for text in narratives(seed, "held_out") if " 씨" not in text)  # those hold full names
    made = []
    for template in itertools.islice(itertools.cycle(TEMPLATES), count):
        before, after = (next(around).replace("{", "(") if rng.random() < 0.4 else "" for _ in range(2))
        made.append(filled("\n".join(part for part in (before, template, after) if part), rng))
    return made
