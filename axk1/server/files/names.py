"""Names of files as clients give them, made harmless. They are shown, never used as a path."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["clean_name"]

_MOST_BYTES = 255  # what file systems take, so that the name is good for a download too
_SEPARATORS = re.compile(r"[/\\]")


def clean_name(name: str) -> str:
    """The last part of a path, NFC, without control, format and private characters (line ends, text direction, lone
    surrogates), at most 255 bytes of UTF-8 with the suffix kept; "file" where nothing is left."""
    last = _SEPARATORS.split(unicodedata.normalize("NFC", name))[-1]
    kept = "".join(one for one in last if unicodedata.category(one)[0] != "C" and one not in "\u2028\u2029")
    return _shortened(kept.strip(" ")) if kept.strip(" .") else "file"


def _shortened(name: str) -> str:
    if len(name.encode()) <= _MOST_BYTES:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix.encode()) > 16:
        stem, dot, suffix = name, "", ""
    room = _MOST_BYTES - len((dot + suffix).encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + dot + suffix
