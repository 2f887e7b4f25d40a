"""Whole characters only: what an upstream cut in two is joined, what stays broken is left out."""

from __future__ import annotations

__all__ = ["Whole", "whole_bytes"]

_REPLACEMENT = "\ufffd"


class Whole:
    """One channel of text. A first half of a surrogate pair waits for the second."""

    def __init__(self) -> None:
        self._half = ""

    def push(self, text: str) -> str:
        """What of `text` can be shown; U+FFFD, which stands for bytes that are no character, is left out."""
        if not self._half and text.isascii():
            return text
        text = self._half + text
        self._half = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
        return joined.replace(_REPLACEMENT, "")


def whole_bytes(data: bytes) -> bytes:
    """The bytes of a token without those that stand for something unknown."""
    return data.replace(_REPLACEMENT.encode(), b"")
