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
    top_word: float  # of the words outside tables: how many are the most frequent one of two letters and more
    top_pair: float  # of the words outside tables: how many stand in the most frequent pair of words with letters
    fives: float  # runs of five words that stood before


def repetition_of(text: str) -> Repetition:
    """Count words between white space."""
    words = text.split()
    if len(words) < _FEWEST:
        return Repetition(len(words), 0.0, 0.0, 0.0, 0.0)
    ids_W, (top_word, top_pair) = _numbered(words), _most_frequent(_outside_tables(text, words))
    fives = _runs(ids_W, 5)
    return Repetition(
        words=len(words),
        lines=_repeated_lines(text),
        top_word=top_word,
        top_pair=top_pair,
        fives=1.0 - len(np.unique(fives)) / len(fives) if len(fives) else 0.0,
    )


def _numbered(words: list[str]) -> NDArray[np.uint64]:
    """A word's number is where it stands first."""
    known: dict[str, int] = {}
    return np.fromiter(map(known.setdefault, words, range(len(words))), np.uint64, len(words))


def _outside_tables(text: str, words: list[str]) -> list[str]:
    """The cells of a table repeat each other (예, 아니요), and marks stand between them."""
    if text[:1] != "|" and "\n|" not in text:
        return words
    return " ".join(line for line in text.split("\n") if line[:1] != "|").split()


def _most_frequent(words: list[str]) -> tuple[float, float]:
    """The shares of the most frequent word and of the words in the most frequent pair."""
    if len(words) < _FEWEST:
        return 0.0, 0.0
    ids_W = _numbered(words)
    counts = np.bincount(ids_W.astype(np.int64))
    word = next((int(counts[at]) for at in np.argsort(-counts) if _letters(words[at]) > 1), 0)
    _, places, pairs = np.unique(_runs(ids_W, 2), return_index=True, return_counts=True)
    order = np.argsort(-pairs)
    pair = next((int(pairs[at]) for at in order if _letters(words[places[at]]) and _letters(words[places[at] + 1])), 0)
    return word / len(words), 2.0 * pair / len(words)


def _letters(word: str) -> int:
    return sum(map(str.isalpha, word))


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
