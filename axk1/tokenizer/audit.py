"""An audit of tokenizers side by side: what texts cost, where words are cut, what the vocabulary wastes."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from axk1.tokenizer.foreign import AnyTokenizer
from axk1.tokenizer.measures import Cost, Cut, Entries, cost, cuts, entries, syllable_lengths, word_tokens
from axk1.tokenizer.speed import Speed, speeds
from axk1.tokenizer.word_list import DIALECT, NAMES

__all__ = ["Audit", "Example", "audit", "worst_lines"]

Texts = Mapping[str, Sequence[str]]
"""Texts by their kind."""

_LINE = range(25, 90)  # characters of a line that is shown
_CUT_CHARACTERS = 200_000  # of each kind are analysed for morphemes


@dataclass(frozen=True)
class Audit:
    """Of one tokenizer. `cuts` is empty where morphemes are not known; `words`: mean tokens of a word of each list."""

    name: str
    vocab_size: int
    costs: Mapping[str, Cost]
    cuts: Mapping[str, Cut]
    syllables: Mapping[int, float]
    words: Mapping[str, float]
    entries: Entries
    speeds: tuple[Speed, ...]


@dataclass(frozen=True)
class Example:
    """A line and, by tokenizer, its pieces: cut where tokens begin. A character of several tokens is one piece."""

    kind: str
    line: str
    pieces: Mapping[str, tuple[str, ...]]
    tokens: Mapping[str, int]


def audit(
    tokenizer: AnyTokenizer, texts: Texts, morpheme_starts: Callable[[str], frozenset[int]] | None = None
) -> Audit:
    """Every measure on every kind of text. ValueError for a kind without text."""
    used: Counter[int] = Counter()
    costs, agreed = {}, {}
    for kind, some in texts.items():
        try:
            costs[kind], ids = cost(tokenizer, some)
        except ValueError as error:
            raise ValueError(f"{kind}: {error}") from error
        used.update(ids)
        if morpheme_starts:
            agreed[kind] = cuts(tokenizer, _first(some, _CUT_CHARACTERS), morpheme_starts)
    every = [text for some in texts.values() for text in some]
    words = {"dialect": word_tokens(tokenizer, DIALECT), "names": word_tokens(tokenizer, NAMES)}
    found = entries(tokenizer, used)
    size = tokenizer.vocab_size
    return Audit(
        tokenizer.name, size, costs, agreed, syllable_lengths(tokenizer), words, found, speeds(tokenizer, every)
    )


def worst_lines(tokenizers: Sequence[AnyTokenizer], texts: Texts, count: int = 3) -> list[Example]:
    """The lines of each kind with the most tokens a character by the first tokenizer, as each of them cuts them."""
    return [
        _example(kind, line, tokenizers)
        for kind, some in texts.items()
        for line in _dearest(tokenizers[0], _lines(some), count)
    ]


def _dearest(tokenizer: AnyTokenizer, lines: Sequence[str], count: int) -> list[str]:
    tokens = [len(encoding.ids) for encoding in tokenizer.encode(lines)]
    ranked = sorted(zip(tokens, lines, strict=True), key=lambda pair: -pair[0] / len(pair[1]))
    return [line for _, line in ranked[:count]]


def _lines(texts: Sequence[str]) -> list[str]:
    lines = (line.strip() for text in texts for line in text.split("\n"))
    return list(dict.fromkeys(line for line in lines if len(line) in _LINE and " " in line))


def _example(kind: str, line: str, tokenizers: Sequence[AnyTokenizer]) -> Example:
    pieces, tokens = {}, {}
    for tokenizer in tokenizers:
        encoding = tokenizer.encode([line])[0]
        starts = sorted({start for start, end in encoding.offsets if start < end} | {0, len(line)})
        pieces[tokenizer.name] = tuple(line[a:b] for a, b in pairwise(starts))
        tokens[tokenizer.name] = len(encoding.ids)
    return Example(kind, line, pieces, tokens)


def _first(texts: Sequence[str], characters: int) -> list[str]:
    taken: list[str] = []
    for text in texts:
        if characters <= 0:
            break
        taken.append(text[:characters])
        characters -= len(text)
    return taken
