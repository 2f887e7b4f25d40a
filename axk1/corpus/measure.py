"""How much text there is: documents, bytes, characters, Hangul syllables."""

from dataclasses import dataclass
from typing import Self

import numpy as np

__all__ = ["Amount"]

_FIRST_SYLLABLE, _LAST_SYLLABLE = 0xAC00, 0xD7A3  # 가, 힣


@dataclass(frozen=True, slots=True)
class Amount:
    """Sums over documents; bytes are of UTF-8."""

    documents: int = 0
    bytes: int = 0
    characters: int = 0
    hangul_syllables: int = 0

    @classmethod
    def of(cls, text: str) -> Self:
        """The amount of one document."""
        units = np.frombuffer(text.encode("utf-16-le"), np.uint16)
        syllables = int(np.count_nonzero((units >= _FIRST_SYLLABLE) & (units <= _LAST_SYLLABLE)))
        return cls(1, len(text.encode("utf-8")), len(text), syllables)

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(
            self.documents + other.documents,
            self.bytes + other.bytes,
            self.characters + other.characters,
            self.hangul_syllables + other.hangul_syllables,
        )

    def __mul__(self, times: int) -> "Amount":
        return Amount(
            self.documents * times, self.bytes * times, self.characters * times, self.hangul_syllables * times
        )
