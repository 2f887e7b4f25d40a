r"""How text is cut into pieces before byte-pair merges: no token crosses a piece.

The pattern, alternative by alternative:

1. `'(?i:s|t|re|ve|m|ll|d)(?!\p{L})`  English endings ('s, 't, 'll) on their own, so that "don't" and "can't" share one;
   the look-ahead leaves quoted words ('test') alone.
2. ` ?\p{Hangul}…`  A run of Hangul (syllables and jamo, old ones included) with its combining marks. It ends where
   another script begins, so "LG전자" and "API를" meet at a boundary, and the particle after a foreign word is the same
   token as elsewhere. With `hangul="syllables"` every syllable is a piece, so that a name which training never saw is
   cut as all others are: what a small model needs to copy it (docs/rooms/tokenizer.md has the figures). With
   `"morphemes"` a run that ends in a known particle or ending (`endings.py`) is cut before it.
3. `[ _]?\p{Latin}…`  The same for Latin. The underscore opens a part of a snake_case name ("set", "_light"). With
   `opener="any"` whatever single character stands before the word does so: ".append", "(self", "\treturn" are a token
   each, which is what program text is made of.
4. ` ?\p{Han}…`, ` ?[\p{Hiragana}\p{Katakana}]…`  The same for Chinese characters and for kana (with the sound mark
   "ー", which Unicode gives to no script).
5. ` ?[^\P{L}…]…`  Any other letters (Greek, Cyrillic, Thai …): a letter that is in none of the scripts above.
   In 2 to 5 an optional space stays with its word: most words then cost one piece, not two.
6. `\p{N}`  Every digit alone and without its space, so that a number is always read digit by digit, the same way at the
   start of a text, after a space or after a letter. Arithmetic depends on it. With `digits="threes"` up to three,
   counted from the right, as people group them: 1|234|567. A number of more
   than 63 digits begins digit by digit.
7. ` ?[^\s\p{L}\p{N}]+`  A run of punctuation, symbols and emoji, such as `":` or ` {"`. With `newlines="joined"` the
   newlines behind it belong to it: `):` and its line's end are one piece.
8. `[\r\n]+`  Newlines apart from what stands around them, so that a line ends in the same token as a sentence does.
9. `[^\S\r\n]+(?= [^\s\p{N}])`, `[^\S\r\n]+`  White space. Before a word the last space is left to the word (indentation
   of four is three + one), which makes an indented `return` the same token as any other ` return`; before a digit or a
   newline, or where tabs indent, the run stays whole. With `indentation="whole"` the spaces at the start of a line stay
   together, and the word behind them has none.

No piece crosses the place behind a newline, whatever the choices: `Tokenizer` cuts long texts there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from axk1.tokenizer.endings import ENDINGS

__all__ = ["Digits", "Hangul", "Indentation", "Newlines", "Opener", "Pieces"]

Hangul = Literal["words", "morphemes", "syllables"]
"""What a token of Hangul may span: a run of syllables, a stem or its ending, or one syllable; the space before it
belongs to it."""
Digits = Literal["single", "threes"]
Newlines = Literal["apart", "joined"]
Indentation = Literal["shared", "whole"]
Opener = Literal["space", "any"]
"""What may begin a Latin word's piece: a space or underscore, or any character but a letter, a digit or a newline."""

_KANA = r"\p{Hiragana}\p{Katakana}"
_OTHER_LETTER = rf"[^\P{{L}}\p{{Hangul}}\p{{Latin}}\p{{Han}}{_KANA}]"
_HANGUL_WORD = r"\p{Hangul}[\p{Hangul}\p{M}]*"
_LATIN_WORD = r"\p{Latin}[\p{Latin}\p{M}]*"
_ENDING = rf"(?:{'|'.join(sorted(ENDINGS))})(?![\p{{Hangul}}\p{{M}}])"
# A stem begins where a run begins; it is as short as an ending behind it allows, so the longest ending is split off.
_STEM = rf"(?: (?=\p{{Hangul}})|(?<![\p{{Hangul}}\p{{M}}]))\p{{Hangul}}[\p{{Hangul}}\p{{M}}]*?(?={_ENDING})"
_HANGUL: Mapping[Hangul, str] = {
    "words": rf" ?{_HANGUL_WORD}",
    "morphemes": rf"{_STEM}| ?{_HANGUL_WORD}",
    "syllables": r" ?\p{Hangul}\p{M}*",
}
# Counted from the right as far as 63 digits: looking ahead to the end of any number would take time by its square.
_DIGITS: Mapping[Digits, str] = {
    "single": r"\p{N}",
    "threes": r"\p{N}{1,3}(?=(?:\p{N}{3}){0,20}(?!\p{N}))|\p{N}",
}
_PUNCTUATION: Mapping[Newlines, str] = {
    "apart": r" ?[^\s\p{L}\p{N}]+",
    "joined": r" ?[^\s\p{L}\p{N}]+[\r\n]*",
}
_OPENER: Mapping[Opener, str] = {"space": "[ _]?", "any": r"[^\r\n\p{L}\p{N}]?"}
_INDENTATION: Mapping[Indentation, tuple[str, ...]] = {"shared": (), "whole": (r"(?<![^\r\n])[^\S\r\n]{2,}",)}


@dataclass(frozen=True)
class Pieces:
    """The choices; each is explained with its alternative of the pattern. ValueError for one that is not known."""

    hangul: Hangul = "words"
    digits: Digits = "single"
    newlines: Newlines = "apart"
    indentation: Indentation = "shared"
    opener: Opener = "space"

    def __post_init__(self) -> None:
        known = {
            "hangul": Hangul, "digits": Digits, "newlines": Newlines, "indentation": Indentation, "opener": Opener,
        }  # fmt: skip
        for name, values in known.items():
            if getattr(self, name) not in get_args(values):
                found, listed = getattr(self, name), ", ".join(get_args(values))
                raise ValueError(f"{name} {found!r} is not known: use one of {listed}")

    @property
    def pattern(self) -> str:
        """The regular expression whose matches are the pieces."""
        return self._pattern(_HANGUL[self.hangul], _OPENER[self.opener] + _LATIN_WORD)

    @property
    def loose_pattern(self) -> str:
        """As `pattern`, but words of one script in a row are one piece: what superwords are merged in.

        Numbers, punctuation and newlines still end it.
        """
        hangul = rf" ?{_HANGUL_WORD}(?: {_HANGUL_WORD})*"
        return self._pattern(hangul, rf"{_OPENER[self.opener]}{_LATIN_WORD}(?:[ _]{_LATIN_WORD})*")

    def _pattern(self, hangul: str, latin: str) -> str:
        alternatives = (
            r"'(?i:s|t|re|ve|m|ll|d)(?!\p{L})",
            *_INDENTATION[self.indentation],
            hangul,
            latin,
            r" ?\p{Han}[\p{Han}\p{M}]*",
            rf" ?[{_KANA}][{_KANA}ー\p{{M}}]*",
            rf" ?{_OTHER_LETTER}(?:{_OTHER_LETTER}|\p{{M}})*",
            _DIGITS[self.digits],
            _PUNCTUATION[self.newlines],
            r"[\r\n]+",
            r"[^\S\r\n]+(?= [^\s\p{N}])",
            r"[^\S\r\n]+",
        )
        return "|".join(alternatives)
