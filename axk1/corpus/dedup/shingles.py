"""A text as the letters that carry it, and its shingles: hashes of n letters in a row.

Korean writers differ in spacing, and particles hang on their nouns: word n-grams of two copies then share little.
Letters without white space and punctuation do not move when a space does, and a changed particle touches n of them.
"""

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Codes", "Hashes", "Letters", "letters", "mixed", "ngram_hashes"]

Codes = NDArray[np.uint32]
Hashes = NDArray[np.uint64]

_PLANES = 0x30000  # code points of the three planes that hold letters; beyond lie tags and private use
_MULTIPLIER = 0x9E3779B97F4A7C15  # odd, of the golden ratio: Knuth, volume 3, section 6.4


class Letters(NamedTuple):
    """The letters, digits and marks of a text in lower case, and where each stands in it (in characters)."""

    codes: Codes
    places: NDArray[np.intp]


def letters(text: str) -> Letters:
    """Without white space, punctuation and symbols."""
    raw = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    codes = _lower_case()[np.minimum(raw, _PLANES - 1)]
    places = np.flatnonzero(codes)
    return Letters(codes[places], places)


def ngram_hashes(codes: Codes, n: int) -> Hashes:
    """One well mixed 64-bit hash per run of n codes, in their order; of the whole if it is shorter; none of nothing."""
    n = min(n, len(codes))
    if n == 0:
        return np.empty(0, np.uint64)
    single = codes.astype(np.uint64)
    hashes, length = single, 1
    for bit in bin(n)[3:]:  # n in binary from the second digit on: double the length, and add one where it is odd
        hashes, length = _joined(hashes, hashes, length, length), 2 * length
        if bit == "1":
            hashes, length = _joined(hashes, single, length, 1), length + 1
    return mixed(hashes)


def _joined(first: Hashes, second: Hashes, length: int, second_length: int) -> Hashes:
    """Polynomial hashes (mod 2^64) of the runs of both lengths together: a run of `first`, then one of `second`."""
    count = len(first) - second_length
    shift = np.uint64(pow(_MULTIPLIER, second_length, 1 << 64))
    return first[:count] * shift + second[length : length + count]


def mixed(hashes: Hashes) -> Hashes:
    """Every bit of the result depends on every bit of the argument (the finaliser of splitmix64)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


@cache
def _lower_case() -> Codes:
    """Per code point its lower case, 0 for what is no letter, digit or mark; 30 ms once a process."""
    table = np.zeros(_PLANES, np.uint32)
    for code in range(_PLANES):
        if unicodedata.category(chr(code))[0] in "LNM":
            lower = chr(code).lower()
            table[code] = ord(lower) if len(lower) == 1 else code
    return table
