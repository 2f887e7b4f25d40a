"""What every contender of the engine benchmark is asked to do. Random ids: the weights are random too."""

from __future__ import annotations

import random

STEPS = 8  # tokens that one line of `decode` makes
LINES = ("prompt 512", "prompt 2048", "decode 1 128", "decode 8 128", "decode 16 128", "decode 1 2048")
FEWER_LINES = {
    "base": ("prompt 512", "decode 1 128", "decode 8 128", "decode 16 128", "decode 1 2048"),
    "slice": ("prompt 512", "decode 1 128", "decode 16 128"),
    "30b-a3b": ("prompt 512", "decode 1 128"),
}
LONGEST, MOST_STREAMS = 2304, 16  # tokens of a stream, and streams; with room for the steps


def lines_of(preset: str) -> tuple[str, ...]:
    """What is asked at this size."""
    return FEWER_LINES.get(preset, LINES)


def tokens(length: int, vocab: int, seed: int = 0) -> list[int]:
    """The same ids for every contender."""
    rng = random.Random(seed)
    return [rng.randrange(vocab) for _ in range(length)]


def first_tokens(streams: int, vocab: int) -> list[int]:
    """What decoding begins with: a different id in every stream, or all would be routed to the same experts."""
    return tokens(streams, vocab, seed=1000)


def tokens_of(line: str) -> int:
    """How many tokens a line computes: what its seconds are divided into."""
    kind, first, *_ = line.split()
    return int(first) * (STEPS if kind == "decode" else 1)
