"""The letters and marks that chat repeats: ㅋㅋㅋㅋㅋㅋ, ㅠㅠㅠㅠ, !!!!!!, 대애애애애박."""

import re
from functools import lru_cache
from typing import Literal

__all__ = ["ChatPolicy", "with_chat_jamo", "with_short_repeats"]

ChatPolicy = Literal["keep", "shorten", "drop"]
"""keep: as written; shorten: at most so many letters in a run; drop: without them."""

_RUN = re.compile(r"[ㅋㅎ]{3,}|[ㅠㅜ]{3,}|([ㄱ-ㅎㅏ-ㅣ])\1{2,}")
# A single ㅋ counts as chat only right after a syllable: lessons on letters name it alone.
_DROPPED = re.compile(r"(?<=[가-힣])[ㅋㅎㅠㅜ]+(?![가-힣])|[ \t]*(?<![ㄱ-ㅣ])[ㅋㅎㅠㅜ]{2,}(?![ㄱ-ㅣ])")


def with_chat_jamo(text: str, policy: ChatPolicy, length: int) -> str:
    """The text under the policy; `length` is the longest run that "shorten" leaves, at least 2."""
    if policy == "keep":
        return text
    if policy == "drop":
        return _DROPPED.sub("", text)
    return _RUN.sub(lambda found: found[0][:length], text)


@lru_cache(maxsize=16)
def _repeats(length: int) -> tuple[re.Pattern[str], re.Pattern[str]]:
    # No Latin letters, digits, commas: hexadecimal numbers and tables repeat those. And no marks at the beginning of
    # a line: they underline headings in markup languages.
    marks = re.compile(rf"(?<=[^\s!?.~…])([!?.~…])\1{{{length},}}")
    return marks, re.compile(rf"([가-힣])\1{{{length},}}")


def with_short_repeats(text: str, length: int) -> str:
    """No mark and no syllable more than `length` times in a row (0: as written)."""
    if not length:
        return text
    marks, syllables = _repeats(length)
    text = marks.sub(lambda found: found[1] * length, text)
    return syllables.sub(lambda found: found[1] * length, text)
