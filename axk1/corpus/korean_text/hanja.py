"""漢字 beside its reading in Hangul: which of the two comes first, and whether the Hanja stays."""

import re
from typing import Literal

from axk1.corpus.korean_text.hanja_readings import readings

__all__ = ["HanjaPolicy", "reads_as", "with_hanja"]

HanjaPolicy = Literal["keep", "hangul_first", "drop"]
"""keep: as written; hangul_first: 漢字(한자) becomes 한자(漢字); drop: either becomes 한자."""

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_HAN_FIRST = re.compile(f"([{_HAN}]+)\\(([가-힣]+)\\)")
_HANGUL_FIRST = re.compile(f"([가-힣]+) ?\\(([{_HAN}]+)\\)")
_ANY = re.compile(f"[{_HAN}]")


def reads_as(hanja: str, hangul: str) -> bool:
    """Whether `hangul` is how `hanja` is read: a syllable each, most of them readings that the table knows.

    Most, not all: the table lacks characters outside KS X 1001 and some readings at a word's start (두음 법칙).
    """
    if len(hanja) != len(hangul):
        return False
    table = readings()
    return 3 * sum(syllable in table.get(one, "") for one, syllable in zip(hanja, hangul, strict=True)) >= 2 * len(
        hanja
    )


def with_hanja(text: str, policy: HanjaPolicy) -> str:
    """The text under the policy. Hanja without a reading beside it stays, whatever the policy."""
    if policy == "keep" or _ANY.search(text) is None:
        return text
    text = _HAN_FIRST.sub(_hangul_first, text)
    return _HANGUL_FIRST.sub(_hangul_only, text) if policy == "drop" else text


def _hangul_first(found: re.Match[str]) -> str:
    return f"{found[2]}({found[1]})" if reads_as(found[1], found[2]) else found[0]


def _hangul_only(found: re.Match[str]) -> str:
    """The reading is the end of what stands before the brackets: 대한민국헌법(憲法)."""
    before, hanja = found[1], found[2]
    return before if reads_as(hanja, before[-len(hanja) :]) else found[0]
