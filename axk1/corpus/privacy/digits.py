"""Digits in other dress, brought to ASCII without moving a character: full-width ones, and 공일공 when asked for."""

import re

__all__ = ["plain_digits"]

_WIDE = re.compile("[０-９]")
_WIDE_TO_PLAIN = {
    **{ord("０") + n: ord("0") + n for n in range(10)},
    **{ord(a): ord(b) for a, b in zip("－．＠（）", "-.@()", strict=True)},
}
_SPOKEN_TO_PLAIN = str.maketrans("공영일이삼사오육륙칠팔구", "001234566789")
_SPOKEN = re.compile(r"(?<![가-힣])[공영일이삼사오육륙칠팔구](?:[ ,.-]{0,2}[공영일이삼사오육륙칠팔구]){7,}")


def plain_digits(text: str, *, spoken: bool = False) -> str:
    """The text, as long as before, with ０ as 0 and, if `spoken`, runs of eight or more digit syllables (공일공 …) as
    digits. Off by default: such runs are rare, and looking for them costs a pass over the text."""
    if text.isascii():
        return text
    if _WIDE.search(text):
        text = text.translate(_WIDE_TO_PLAIN)
    return _SPOKEN.sub(lambda found: found.group().translate(_SPOKEN_TO_PLAIN), text) if spoken else text
