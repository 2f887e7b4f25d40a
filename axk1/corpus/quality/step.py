"""The step `quality`: drops what is no Korean prose by named reasons, and notes the figures.

steps = [{ name = "quality", least_endings = 0.3 }]
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from axk1.corpus.batches import in_batches
from axk1.corpus.documents import Document, Reject, Scope
from axk1.corpus.quality.advertising import ad_phrases
from axk1.corpus.quality.boilerplate import without_boilerplate
from axk1.corpus.quality.repetition import Repetition, repetition_of
from axk1.corpus.quality.signals import Signals, signals_of

__all__ = ["Quality", "QualityConfig", "reason_against"]


Rule = tuple[bool, str, bool]
"""Whether it applies, the reason, whether it holds."""

_STUFFED = 6  # times that a word must stand before its share counts: short texts repeat their subject
_PHRASED = 8  # and two words in a row
_OF_PROSE = {"words without particles or endings", "no sentences"}  # what documentation of commands may do without
_CODE = re.compile("`[^`\n]+`")


@dataclass(frozen=True)
class QualityConfig:
    """Thresholds; the defaults are set from Korean statutes, decisions, documentation, prose, reviews (see the docs).

    Rules on Korean apply from `korean_from` on (share of Hangul among the letters): other texts are judged by their
    repetition and lost characters only. Rules on shares need `long` eojeols: reviews and chat are shorter.
    """

    boilerplate: bool = True  # take lines of the page around the text out (rights, menus, comment counters)
    korean_from: float = 0.3
    long: int = 30  # eojeols
    most_lost: float = 0.003
    most_western: float = 0.3  # of the letters
    least_endings: float = 0.25
    least_eojeol_length: float = 1.6  # syllables
    most_eojeol_length: float = 6.5
    most_digits: float = 0.3  # where they are also more than the letters: sums in words and lot numbers are not
    most_symbols: float = 0.3
    most_urls: float = 0.5
    most_eojeols_per_sentence: float = 200.0
    sentences_below: float = 0.42  # share of endings; above it, titles and items without full stops are prose too
    disorder: float = 0.9  # words are in disorder where their order scores below -disorder / sqrt(their number)
    disorder_from: int = 60  # eojeols
    most_ads: float = 1.0  # phrases per 100 characters
    most_repeated_lines: float = 0.3
    code_from: float = 0.15  # of the characters in code spans (`…`): a page of commands needs no sentences
    most_top_word: float = 0.2
    most_top_pair: float = 0.25
    most_repeated_fives: float = 0.5


class Quality:
    """Notes `quality_hangul`, `quality_endings`, `quality_repeated` and `quality_cut_off`."""

    scope: ClassVar[Scope] = "document"

    def __init__(self, config: QualityConfig = QualityConfig()) -> None:
        self._config = config

    def __call__(self, documents: Iterator[Document], reject: Reject) -> Iterator[Document]:
        """Drop with one reason each, the first that holds."""
        for batch in in_batches(documents):
            texts = [self._own_text(document.text) for document in batch]
            for document, text, signals in zip(batch, texts, signals_of(texts), strict=True):
                repetition = repetition_of(text)
                if reason := reason_against(text, signals, repetition, self._config):
                    reject(document, reason)
                    continue
                kept = document if text is document.text else replace(document, text=text)
                yield kept.noted(
                    quality_hangul=round(signals.hangul, 3),
                    quality_endings=round(signals.endings, 3),
                    quality_repeated=round(repetition.fives, 3),
                    quality_cut_off=_is_cut_off(text),
                )

    def _own_text(self, text: str) -> str:
        return without_boilerplate(text) if self._config.boilerplate else text


def reason_against(text: str, signals: Signals, repetition: Repetition, config: QualityConfig) -> str:
    """Why the text is dropped, in a few fixed words; "" for a good one."""
    reasons = (reason for applies, reason, holds in _rules(text, signals, repetition, config) if applies and holds)
    return next((one for one in reasons if one not in _OF_PROSE or _code(text, signals) < config.code_from), "")


def _code(text: str, signals: Signals) -> float:
    """The share of the characters in code spans."""
    return sum(map(len, _CODE.findall(text))) / max(1, signals.characters)


def _rules(text: str, signals: Signals, repetition: Repetition, config: QualityConfig) -> tuple[Rule, ...]:
    long = signals.eojeols >= config.long
    korean = signals.hangul >= config.korean_from
    return (
        (True, "characters lost in a wrong encoding", signals.lost > config.most_lost),
        (signals.characters >= 20, "wrong encoding", signals.western > config.most_western),
        (korean, "advertising", korean and ad_phrases(text) > config.most_ads),  # not counted where it cannot matter
        (signals.characters >= 20, "mostly links", signals.urls > config.most_urls),
        (signals.characters >= 100, "mostly digits", signals.digits > max(config.most_digits, signals.letters)),
        (signals.characters >= 100, "mostly symbols", signals.symbols > config.most_symbols),
        (
            repetition.top_word * repetition.words >= _STUFFED,
            "keyword stuffing",
            repetition.top_word > config.most_top_word,
        ),
        (
            repetition.top_pair * repetition.words >= 2 * _PHRASED,
            "one phrase again and again",
            repetition.top_pair > config.most_top_pair,
        ),
        (repetition.words >= 50, "repeated passages", repetition.fives > config.most_repeated_fives),
        (repetition.words >= 50, "repeated lines", repetition.lines > config.most_repeated_lines),
        (korean and long, "words without particles or endings", signals.endings < config.least_endings),
        (korean and long, "words too short", signals.eojeol_length < config.least_eojeol_length),
        (korean and long, "words too long", signals.eojeol_length > config.most_eojeol_length),
        (
            korean and long and signals.endings < config.sentences_below,
            "no sentences",
            signals.eojeols > config.most_eojeols_per_sentence * max(signals.sentence_ends, 0.2),
        ),
        (
            korean and signals.eojeols >= config.disorder_from,
            "words in disorder",
            signals.order < -config.disorder / math.sqrt(max(1, signals.eojeols)),
        ),
    )


def _is_cut_off(text: str) -> bool:
    """Whether the last line is long and stops without a mark or an ending, in the middle of a sentence."""
    line = text.rstrip().rpartition("\n")[2]
    return len(line) >= 40 and line[-1] not in ".!?…。”’\"')]」』>:;|`*~^ㅋㅎㅠㅜ다요음함임"
