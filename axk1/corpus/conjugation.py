"""Korean verbs and adjectives: from three listed bases to the endings that the curriculum uses.

A predicate is written as its stem, its 아/어 form and, where irregular, its 으 form: "듣 들어 들으", "먹 먹어".
Every ending follows from these by vowel, final consonant and the rule of ㄹ; none is guessed from the meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

_SYLLABLES = 0xAC00
_FINALS = 28
_NIEUN, _RIEUL, _BIEUP, _SSANG_SIOT = 4, 8, 17, 20  # positions in Unicode's table of final consonants


def final(syllable: str) -> int:
    """Position of the last syllable's final consonant in Unicode's table; 0 = none."""
    return (ord(syllable[-1]) - _SYLLABLES) % _FINALS


def close(base: str, consonant: int) -> str:
    """`base` with `consonant` under its last syllable; a final ㄹ gives way (만들 → 만든)."""
    return base[:-1] + chr(ord(base[-1]) - final(base) + consonant)


@dataclass(frozen=True)
class Predicate:
    """A verb, or with `descriptive` an adjective, and its inflected forms (without final punctuation).

    stem: dictionary form without 다; infinitive: the 아/어 form; open_stem: the base of (으) endings.
    """

    stem: str
    infinitive: str
    open_stem: str
    descriptive: bool = False

    @cached_property
    def past(self) -> str:
        """Base of the past tense: 먹었, 갔, 했."""
        return close(self.infinitive, _SSANG_SIOT)

    @cached_property
    def before_nieun(self) -> str:
        """Stem before 네, 는, 니, 나: 먹, 가; ㄹ gives way: 만드."""
        return close(self.stem, 0) if final(self.stem) == _RIEUL else self.stem

    @cached_property
    def written(self) -> str:
        """Written style, present: 먹는다, 간다, 만든다, 좋다."""
        if self.descriptive:
            return self.stem + "다"
        if final(self.stem) not in (0, _RIEUL):
            return self.stem + "는다"
        return close(self.stem, _NIEUN) + "다"

    @cached_property
    def formal(self) -> str:
        """합니다 style, present: 먹습니다, 갑니다, 만듭니다."""
        if final(self.stem) not in (0, _RIEUL):
            return self.stem + "습니다"
        return close(self.stem, _BIEUP) + "니다"

    @cached_property
    def prospective(self) -> str:
        """Base of the (으)ㄹ endings: 먹을, 갈, 만들."""
        return close(self.open_stem, _RIEUL)

    @cached_property
    def honorific(self) -> str:
        """(으)세요: 읽으세요, 가세요, 만드세요."""
        return (close(self.open_stem, 0) if final(self.open_stem) == _RIEUL else self.open_stem) + "세요"

    @cached_property
    def joint(self) -> str:
        """(으)ㅂ시다: 먹읍시다, 갑시다."""
        return close(self.open_stem, _BIEUP) + "시다"

    @cached_property
    def attributive(self) -> str:
        """Before a noun, present: 먹는, 만드는; adjectives 좋은, 큰, 있는."""
        if self.descriptive and self.stem[-1] not in "있없":
            return close(self.open_stem, _NIEUN)
        return self.before_nieun + "는"

    @cached_property
    def attributive_past(self) -> str:
        """Before a noun, past (verbs): 먹은, 간, 만든."""
        return close(self.open_stem, _NIEUN)

    @cached_property
    def because(self) -> str:
        """(으)니까: 먹으니까, 가니까, 만드니까."""
        return (close(self.open_stem, 0) if final(self.open_stem) == _RIEUL else self.open_stem) + "니까"


def predicate(text: str, descriptive: bool = False) -> Predicate:
    """The predicate written as "stem infinitive [open stem]"; the open stem defaults to the regular one."""
    stem, infinitive, *rest = text.split(" ")
    regular = stem if final(stem) in (0, _RIEUL) else stem + "으"
    return Predicate(stem, infinitive, rest[0] if rest else regular, descriptive)
