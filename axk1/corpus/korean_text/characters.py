"""Characters that look like others or like nothing: odd spaces, invisible and control characters, full-width forms."""

import re

__all__ = ["narrow", "plain_middle_dots", "plain_spaces", "without_trailing_spaces"]

_SPACES = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u3164\uffa0"
_LINE_ENDS = "\x0b\x0c\x85\u2028\u2029"
_INVISIBLE = (
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069"
)
_INVISIBLE += "\ufeff\ufff9-\ufffb"
_ODD = re.compile(f"([{_SPACES}])|(\r\n?|[{_LINE_ENDS}])|[{_INVISIBLE}]")
# Joiners have work to do in emoji and in other scripts; after Hangul, Latin, digits, spaces they are rubbish.
_JOINERS = re.compile("(?:(?<=[\x00-\u024f\u1100-\u11ff\u3130-\u318f가-힣])|^)[\u200c\u200d]+")

# KS X 1001 has no hyphen but the soft one: beside Hangul and digits a hyphen is meant, inside a Latin word none.
_HYPHEN = re.compile("(?<=[가-힣0-9])\u00ad(?=[가-힣0-9])")

_FULL_WIDTH = re.compile("[\uff01-\uff5e\uffe0-\uffe6]")
_FULL_WIDTH_WORDS = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]")
_NARROW = {0xFF01 + n: 0x21 + n for n in range(0x5E)}
_NARROW |= dict(zip(range(0xFFE0, 0xFFE7), map(ord, "¢£¬¯¦¥₩"), strict=True))
_NARROW_WORDS = {code: to for code, to in _NARROW.items() if chr(to).isalnum()}
_KANA = re.compile("[\u3041-\u30ff]")
_HANGUL = re.compile("[가-힣]")

_ARAEA_AS_DOT = re.compile("(?<=[가-힣A-Za-z0-9)」』])[ㆍᆞ](?=[가-힣A-Za-z0-9(「『])")


def plain_spaces(text: str) -> str:
    """Every odd space a space, every odd line end a newline, nothing invisible."""
    if "\u00ad" in text:
        text = _HYPHEN.sub("-", text)
    text = _ODD.sub(_plain, text)
    if "\u200c" in text or "\u200d" in text:
        text = _JOINERS.sub("", text)
    return text


def without_trailing_spaces(text: str) -> str:
    """No spaces before a line's end."""
    found = " \n" in text or "\t\n" in text or text.endswith((" ", "\t"))
    return "\n".join(line.rstrip(" \t") for line in text.split("\n")) if found else text


def _plain(found: re.Match[str]) -> str:
    return " " if found[1] else "\n" if found[2] else ""


def narrow(text: str) -> str:
    """Full-width letters and digits as ASCII; full-width punctuation too where the text is Korean: in Japanese and
    Chinese the wide forms are the right ones."""
    if _FULL_WIDTH.search(text) is None:
        return text
    if _HANGUL.search(text) and not _KANA.search(text):
        return text.translate(_NARROW)
    return text.translate(_NARROW_WORDS) if _FULL_WIDTH_WORDS.search(text) else text


def plain_middle_dots(text: str) -> str:
    """The letter ㆍ (아래아) that stands for a middle dot (시ㆍ도) becomes "·"; between jamo it stays a letter."""
    return _ARAEA_AS_DOT.sub("·", text) if "ㆍ" in text or "ᆞ" in text else text
