"""Texts as arrays of character classes: what the steps of this package count at hundreds of megabytes a second.

Legend: C = characters (UTF-16 units).
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Kind", "kinds_of", "units_of", "units_of_all"]


class Kind(IntEnum):
    """Classes of characters. Those outside the basic plane count as OTHER, twice (their two surrogates)."""

    OTHER = 0
    HANGUL = 1
    LATIN = 2
    HAN = 3
    KANA = 4
    SCRIPT = 5  # letters of other scripts: Cyrillic, Thai, Arabic …, and accented Latin
    DIGIT = 6
    SPACE = 7
    NEWLINE = 8
    PUNCTUATION = 9  # of prose and Markdown
    SYMBOL = 10  # of code, tables, decoration
    JAMO = 11


_RANGES: tuple[tuple[Kind, str], ...] = (
    (
        Kind.SYMBOL,
        "0021-002f 003a-0040 005b-0060 007b-007e 2000-2bff 3000-3040 ff00-ff65 fe00-fe6f e000-f8ff fffd-fffd",
    ),
    (Kind.SCRIPT, "00aa-00aa 00b5-00b5 00ba-00ba 00c0-00d6 00d8-00f6 00f8-0fff 10a0-10ff 1200-1fff"),
    (Kind.SYMBOL, "00a1-00a9 00ab-00b4 00b6-00b9 00bb-00bf 00d7-00d7 00f7-00f7"),
    (Kind.LATIN, "0041-005a 0061-007a"),
    (Kind.DIGIT, "0030-0039"),
    (Kind.HANGUL, "ac00-d7a3"),
    (Kind.JAMO, "1100-11ff 3131-318e a960-a97f d7b0-d7ff"),
    (Kind.HAN, "3400-4dbf 4e00-9fff f900-faff"),
    (Kind.KANA, "3041-30ff 31f0-31ff"),
    (Kind.SPACE, "0009-0009 0020-0020 00a0-00a0 3000-3000"),
    (Kind.NEWLINE, "000a-000a 000d-000d"),
)
_PROSE = ".,!?;:'\"()-~“”‘’「」『』《》〈〉·…。、*`#|>"


def _table() -> NDArray[np.uint8]:
    table = np.zeros(1 << 16, np.uint8)
    for kind, ranges in _RANGES:
        for first, last in (span.split("-") for span in ranges.split()):
            table[int(first, 16) : int(last, 16) + 1] = kind
    table[[ord(mark) for mark in _PROSE]] = Kind.PUNCTUATION
    return table


_KINDS = _table()


def units_of(text: str) -> NDArray[np.uint16]:
    """The text's UTF-16 units, units_C."""
    return np.frombuffer(text.encode("utf-16-le", "surrogatepass"), np.uint16)


def units_of_all(texts: Sequence[str]) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """The units of all texts, each with a line feed behind it, and the number of the text that each is of."""
    packed = [text.encode("utf-16-le", "surrogatepass") for text in texts]
    units_C = np.frombuffer(b"\n\0".join([*packed, b""]), np.uint16)
    return units_C, np.repeat(np.arange(len(texts)), [len(one) // 2 + 1 for one in packed])


def kinds_of(units_C: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """The Kind of each unit, kinds_C."""
    return _KINDS[units_C]
