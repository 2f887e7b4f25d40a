"""What every contender of the engine benchmark is asked to do. Random ids: the weights are random too."""

from __future__ import annotations

import random

STEPS = 8  # tokens that one line of `decode` makes
LINES = ("prompt 512", "prompt 2048", "decode 1 128", "decode 8 128", "decode 16 128", "decode 1 2048")


def tokens(length: int, vocab: int, seed: int = 0) -> list[int]:
    """The same ids for every contender."""
    rng = random.Random(seed)
    return [rng.randrange(vocab) for _ in range(length)]


def tokens_of(line: str) -> int:
    """How many tokens a line computes: what its seconds are divided into."""
    kind, first, *_ = line.split()
    return int(first) * (STEPS if kind == "decode" else 1)
