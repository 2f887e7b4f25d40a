"""A text as hashed features: runs of characters and of eojeols, their counts damped, the whole of length 1.

All runs come out of one running sum: with C[i] the sum of code[j] · M^j over all j before i (modulo 2^64, M odd), the
hash of the span from s to e is (C[e] - C[s]) · M^-s. It costs the same whatever the length, so whole eojeols are as
cheap as pairs of characters, and no loop over characters or words is left to Python.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["FeatureSettings", "Features", "features_of", "is_visible"]

Whole = NDArray[np.intp]
Hashes = NDArray[np.uint64]

_PLANES = 0x30000  # code points of the three planes that hold letters; those beyond count as one
_SPACE, _DIGIT = ord(" "), ord("0")
_BASE = 0x9E3779B97F4A7C15  # odd, of the golden ratio: Knuth, volume 3, section 6.4
_SCATTER = np.uint64(0xD6E8FEB86659FD93)  # odd: the top bits of a product with it depend on all bits of the hash
_SALT = 0xA0761D6478BD642F  # tells runs of different kinds apart
_EOJEOL = 16  # kinds from here on are runs of eojeols, those below of so many characters
_FEWEST_BITS, _MOST_BITS = 8, 22
_MOST_COUNTED = 4095  # a run that stands more often in one text counts as so many


@dataclass(frozen=True)
class FeatureSettings:
    """What is counted: runs of `shortest` to `longest` characters, spaces among them, and of up to `eojeols` eojeols.

    Letters in lower case, every digit as 0, white space of any kind and length as one space.
    """

    shortest: int = 1
    longest: int = 4
    eojeols: int = 1
    bits: int = 18  # 2^bits places; runs that fall on one place share a weight

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest < _EOJEOL:
            raise ValueError(f"wants 1 <= shortest <= longest < {_EOJEOL}, found {self.shortest} and {self.longest}")
        if not 0 <= self.eojeols <= 3:
            raise ValueError(f"eojeols must be from 0 to 3, found {self.eojeols}")
        if not _FEWEST_BITS <= self.bits <= _MOST_BITS:
            raise ValueError(f"bits must be from {_FEWEST_BITS} to {_MOST_BITS}, found {self.bits}")


class Features(NamedTuple):
    """The rows of a sparse matrix: that of text i has values[starts[i]:starts[i + 1]] at its places, which ascend."""

    places: Whole
    values: NDArray[np.float32]
    starts: Whole


class _Spans(NamedTuple):
    """Runs of one kind, as character positions."""

    starts: Whole
    ends: Whole
    kind: int


class _Row(NamedTuple):
    """Texts in a row, a space before and after each: a code per character, and the number of its text."""

    codes: NDArray[np.uint32]
    text: NDArray[np.uint32]


def features_of(texts: Sequence[str], settings: FeatureSettings) -> Features:
    """One row per text, 1 + ln(count) per place, scaled to length 1; an empty row where there is nothing to see.

    A row does not depend on the texts beside it.
    """
    row = _row_of(texts)
    powers, inverses = _powers(len(row.codes) + 1)
    sums = np.zeros(len(row.codes) + 1, np.uint64)
    np.cumsum(row.codes * powers[:-1], out=sums[1:])
    keys = [
        _keys(_hashes(sums, inverses, spans), row.text[spans.starts], settings.bits)
        for spans in (*_character_runs(row, settings), *_eojeol_runs(row, settings))
    ]
    return _counted(np.concatenate(keys), len(texts), settings.bits)


def is_visible(text: str) -> bool:
    """Whether there is anything to see in it: more than white space and control characters."""
    return any(letter.isprintable() and not letter.isspace() for letter in text)


def _row_of(texts: Sequence[str]) -> _Row:
    joined = "".join(f" {text} " for text in texts)
    raw = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    lengths = np.fromiter((len(text) + 2 for text in texts), np.intp, len(texts))
    number = np.repeat(np.arange(len(texts), dtype=np.uint32), lengths)
    codes = _folded()[np.minimum(raw, _PLANES - 1)]
    kept = codes != _SPACE
    kept[1:] |= kept[:-1]  # of several spaces the first, which follows something visible
    kept[np.cumsum(lengths) - lengths] = True  # and the one before every text
    return _without_second_space(_Row(codes[kept], number[kept]))


def _without_second_space(row: _Row) -> _Row:
    """A text that begins with white space has two: the one before it and its own first."""
    space = row.codes == _SPACE
    twice = np.zeros(len(space), bool)
    twice[1:] = space[1:] & space[:-1] & (row.text[1:] == row.text[:-1])
    return _Row(row.codes[~twice], row.text[~twice]) if twice.any() else row


def _character_runs(row: _Row, settings: FeatureSettings) -> Iterator[_Spans]:
    for length in range(settings.shortest, settings.longest + 1):
        last = max(0, len(row.codes) - length + 1)
        inside = row.text[:last] == row.text[length - 1 :]
        if length == 1:
            inside = row.codes != _SPACE
        starts = np.flatnonzero(inside)
        yield _Spans(starts, starts + length, length)


def _eojeol_runs(row: _Row, settings: FeatureSettings) -> Iterator[_Spans]:
    spaces = np.flatnonzero(row.codes == _SPACE)
    for count in range(1, settings.eojeols + 1):
        before, after = spaces[:-count], spaces[count:]
        inside = row.text[before] == row.text[after]
        yield _Spans(before[inside] + 1, after[inside], _EOJEOL + count)


def _hashes(sums: Hashes, inverses: Hashes, spans: _Spans) -> Hashes:
    hashes = (sums[spans.ends] - sums[spans.starts]) * inverses[spans.starts]
    hashes += np.uint64(spans.kind * _SALT % 2**64)
    hashes ^= hashes >> np.uint64(29)
    return hashes * _SCATTER


def _keys(hashes: Hashes, text: NDArray[np.uint32], bits: int) -> Hashes:
    """The number of the text above, the place below: sorting brings equal features of a text together."""
    return (text.astype(np.uint64) << np.uint64(bits)) | (hashes >> np.uint64(64 - bits))


def _counted(wide: Hashes, texts: int, bits: int) -> Features:
    keys = wide.astype(np.uint32) if (texts + 1) << bits <= 1 << 32 else wide  # half the bytes sort twice as fast
    keys.sort()
    new = np.ones(len(keys), bool)
    new[1:] = keys[1:] != keys[:-1]
    at = np.flatnonzero(new)
    distinct = keys[at]
    counts = np.diff(at, append=len(keys))
    values = _damped().take(np.minimum(counts, _MOST_COUNTED))
    starts = np.searchsorted(distinct, np.arange(texts + 1, dtype=np.uint64) << np.uint64(bits))
    places = (distinct & distinct.dtype.type((1 << bits) - 1)).astype(np.intp)
    return Features(places, _of_length_1(values, starts), starts)


def _of_length_1(values: NDArray[np.float32], starts: Whole) -> NDArray[np.float32]:
    """The values of every row divided by their length."""
    filled = np.flatnonzero(np.diff(starts))
    if not len(filled):
        return values
    squares = np.add.reduceat(values * values, starts[filled])
    lengths: NDArray[np.float32] = np.repeat(np.sqrt(squares), np.diff(starts)[filled])
    return values / lengths


@cache
def _damped() -> NDArray[np.float32]:
    """1 + ln(n) by n."""
    return (1.0 + np.log(np.maximum(np.arange(_MOST_COUNTED + 1), 1))).astype(np.float32)


def _powers(count: int) -> tuple[Hashes, Hashes]:
    """M^1 … M^count, and those of the inverse of M: that both begin at 1 makes no difference."""
    powers, inverses = _power_tables(1 << max(12, (count - 1).bit_length()))
    return powers[:count], inverses[:count]


@cache
def _power_tables(size: int) -> tuple[Hashes, Hashes]:
    bases = (_BASE, pow(_BASE, -1, 1 << 64))
    powers, inverses = (np.multiply.accumulate(np.full(size, base, np.uint64)) for base in bases)
    return powers, inverses


@cache
def _folded() -> NDArray[np.uint32]:
    """Per code point what it counts as; 60 ms, once a process."""
    table = np.arange(_PLANES, dtype=np.uint32)
    for code in range(_PLANES):
        letter = chr(code)
        kind = unicodedata.category(letter)
        if kind == "Nd":
            table[code] = _DIGIT
        elif letter.isspace() or kind in ("Cc", "Cf"):
            table[code] = _SPACE
        elif kind == "Lu" and len(letter.lower()) == 1:
            table[code] = ord(letter.lower())
    return table
