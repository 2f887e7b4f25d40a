"""What can be counted of a Korean text, as numbers from 0 to 1 where they are shares.

Eojeols are the words between spaces. Nearly every one in a sentence ends in a particle (조사) or an ending (어미), and
those end in few syllables; the words of keyword lists and tables do not.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from axk1.corpus.korean_text.mojibake import lost_share
from axk1.corpus.quality.letters import Kind, kinds_of, units_of_all
from axk1.corpus.quality.order import order_of

__all__ = ["Signals", "signals_of"]

# Last syllables of particles and of endings, own list.
_ENDINGS = (
    "은는이가을를에의도로와과만서며고면다요까니께야여라든나지자해써한할된될인던일게히록려네죠군걸데음함임큼처럼부터랑"
)
_FINALS = "다요까죠오라네지음함임ㅋㅎ"  # last syllables of sentences
_MARKS = ".!?…"
_LETTERS = (Kind.HANGUL, Kind.LATIN, Kind.HAN, Kind.KANA, Kind.SCRIPT, Kind.JAMO)
_IN_WORD = (*_LETTERS, Kind.DIGIT)
_URL = re.compile(r"(?:https?://|www\.)[!-~]+")


def _syllables(wanted: str) -> NDArray[np.bool_]:
    table = np.zeros(1 << 16, np.bool_)
    table[[ord(syllable) for syllable in wanted]] = True
    return table


def _kinds(wanted: tuple[Kind, ...]) -> NDArray[np.bool_]:
    table = np.zeros(len(Kind), np.bool_)
    table[list(wanted)] = True
    return table


_ENDS, _CLOSES, _STOPS, _WORDS = _syllables(_ENDINGS), _syllables(_FINALS), _syllables(_MARKS), _kinds(_IN_WORD)


@dataclass(frozen=True)
class Signals:
    """Counts and shares of one text. Shares of the characters leave out white space."""

    characters: int  # without white space
    hangul: float  # share of the letters
    letters: float  # per character, a syllable counting two
    digits: float  # share of the characters
    symbols: float
    urls: float
    lost: float  # characters that replace lost ones
    western: float  # accented Latin letters and the like, beside Hangul a sign of a wrong encoding
    eojeols: int  # words that end in Hangul
    eojeol_length: float  # mean, in syllables
    endings: float  # share of the eojeols that end like a particle or an ending
    sentence_ends: int
    order: float  # how well the endings of neighbouring words follow one another (see order.py)


def signals_of(texts: Sequence[str]) -> list[Signals]:
    """Of each text. In one pass over all of them: for a text of one line, calls cost more than counting."""
    units_C, text_C = units_of_all(texts)
    kinds_C = kinds_of(units_C)
    count_TK = np.bincount(text_C * len(Kind) + kinds_C, minlength=len(texts) * len(Kind)).reshape(-1, len(Kind))
    ends_W = _word_ends(kinds_C)
    last_W, text_W = units_C[ends_W], text_C[ends_W]
    eojeols = np.bincount(text_W, minlength=len(texts)).tolist()
    endings = np.bincount(text_W, _ENDS[last_W], minlength=len(texts)).tolist()
    stops_C = _CLOSES[units_C[:-1]] & _STOPS[units_C[1:]]
    sentence_ends = np.bincount(text_C[:-1][stops_C], minlength=len(texts)).tolist()
    order = order_of(last_W, text_W, len(texts)).tolist()
    counted = zip(texts, count_TK.tolist(), eojeols, endings, sentence_ends, order, strict=True)
    return [_signals(*one) for one in counted]


def _signals(text: str, count: list[int], eojeols: int, endings: float, sentence_ends: int, order: float) -> Signals:
    """count: characters per kind, without a text's line feeds the same whether it is alone or one of many."""
    letters = sum(count[kind] for kind in _LETTERS)
    characters = sum(count) - count[Kind.SPACE] - count[Kind.NEWLINE]
    return Signals(
        characters=characters,
        hangul=_share(count[Kind.HANGUL] + count[Kind.JAMO], letters),
        letters=_share(letters + count[Kind.HANGUL], characters),
        digits=_share(count[Kind.DIGIT], characters),
        symbols=_share(count[Kind.SYMBOL], characters),
        urls=_share(sum(map(len, _URL.findall(text))), characters) if "://" in text or "www." in text else 0.0,
        lost=lost_share(text),
        western=_share(count[Kind.SCRIPT], letters),
        eojeols=eojeols,
        eojeol_length=_share(count[Kind.HANGUL], eojeols),
        endings=_share(endings, eojeols),
        sentence_ends=sentence_ends,
        order=order,
    )


def _word_ends(kinds_C: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Where words end that end in a syllable; the last character is no word's."""
    is_end = (kinds_C[:-1] == Kind.HANGUL) & ~_WORDS[kinds_C[1:]]
    return np.flatnonzero(is_end)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
