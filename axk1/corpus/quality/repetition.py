"""How much of a text says the same again: lines, and runs of eojeols (after Rae et al. 2021, Gopher, table A1)."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Repetition", "repetition_of"]

_FEWEST = 20  # words; a review or a line of chat repeats by chance
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Repetition:
    """Shares from 0 (nothing twice) to 1."""

    words: int
    lines: float  # characters in lines that stood before (lines of ten characters and more)
    top_word: float  # of the words: how many are the most frequent one of two letters and more
    top_pair: float  # of the words: how many stand in the most frequent pair
    fives: float  # runs of five words that stood before


def repetition_of(text: str) -> Repetition:
    """Count words between white space."""
    words = text.split()
    if len(words) < _FEWEST:
        return Repetition(len(words), 0.0, 0.0, 0.0, 0.0)
    known: dict[str, int] = {}
    # A word's number is where it stands first.
    ids_W = np.fromiter(map(known.setdefault, words, range(len(words))), np.uint64, len(words))
    _, pairs = np.unique(_runs(ids_W, 2), return_counts=True)
    fives = _runs(ids_W, 5)
    return Repetition(
        words=len(words),
        lines=_repeated_lines(text),
        top_word=_top_word(words, ids_W) / len(words),
        top_pair=2.0 * float(pairs.max()) / len(words),
        fives=1.0 - len(np.unique(fives)) / len(fives) if len(fives) else 0.0,
    )


def _top_word(words: list[str], ids_W: NDArray[np.uint64]) -> int:
    """How often the most frequent word of two letters and more stands there."""
    counts = np.bincount(ids_W.astype(np.int64))
    return next((int(counts[first]) for first in np.argsort(-counts) if len(words[first]) > 1), 0)


def _runs(ids_W: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """A hash of each run of so many words."""
    count = max(0, len(ids_W) - length + 1)
    hashed = np.zeros(count, np.uint64)
    for offset in range(length):
        hashed = (hashed ^ ids_W[offset : offset + count]) * _MIX
        hashed ^= hashed >> np.uint64(29)
    return hashed


def _repeated_lines(text: str) -> float:
    lines = Counter(line for line in text.split("\n") if len(line) >= 10)
    total = sum(len(line) * count for line, count in lines.items())
    return sum(len(line) * (count - 1) for line, count in lines.items()) / total if total else 0.0
