"""Bytes of a page → text: byte order mark, what the page or its server declares, and a guess, in this order."""

import codecs
import re
from collections.abc import Iterator

__all__ = ["decode_page"]

_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_:-]+)""", re.IGNORECASE)
_HEAD_BYTES = 4096
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# Pages that say EUC-KR are written in its superset CP949, as browsers know: 똠 and 펲 exist in the latter only.
_SUPERSETS = {"euc_kr": "cp949", "iso2022_kr": "iso2022_kr", "ascii": "utf-8", "iso8859-1": "cp1252"}
_GUESSES = ("utf-8", "cp949", "cp1252")


def decode_page(data: bytes, declared: str = "") -> str:
    """The text; `declared` is the charset of the HTTP header, "" without one.

    A declaration that does not fit the bytes gives way to the next one, and last to the guess with the fewest bytes
    that mean nothing, which become U+FFFD.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, "replace")
    names = [*_known(declared), *_in_page(data)]
    for name in (*names, *_GUESSES[:2]):
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            continue
    attempts = [data.decode(name, "replace") for name in (*names, *_GUESSES)]
    return min(attempts, key=_doubt)


def _in_page(data: bytes) -> Iterator[str]:
    for match in _DECLARED.finditer(data[:_HEAD_BYTES]):
        yield from _known(match[1].decode("ascii"))


def _known(name: str) -> list[str]:
    try:
        info = codecs.lookup(name.strip("\"' "))
    except LookupError:
        return []
    is_text = info.name not in {"utf-16", "utf-16-le", "utf-16-be", "utf-7", "idna", "punycode", "unicode_escape"}
    return [_SUPERSETS.get(info.name, info.name)] if is_text and info._is_text_encoding else []


def _doubt(text: str) -> float:
    """The share of characters that a Korean or English page hardly holds: U+FFFD and Latin letters with accents."""
    odd = text.count("\ufffd") + sum("\x80" <= letter <= "\u024f" for letter in text)
    return odd / max(len(text), 1)
