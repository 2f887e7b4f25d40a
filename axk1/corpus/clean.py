"""The steps that tidy single documents. Each is Iterator → Iterator and says what it drops."""

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from axk1.corpus.documents import Document, Reject, Scope

__all__ = ["DropEmpty", "Newlines", "Nfc"]


class Nfc:
    """Unicode normal form C: Hangul in whole syllables, as the tokenizer and every boundary of this project want it."""

    scope: ClassVar[Scope] = "document"

    def __call__(self, documents: Iterator[Document], _reject: Reject) -> Iterator[Document]:
        """Drops nothing."""
        for document in documents:
            if unicodedata.is_normalized("NFC", document.text):
                yield document
            else:
                yield replace(document, text=unicodedata.normalize("NFC", document.text))


class Newlines:
    r"""Windows and old Macintosh line ends ("\r\n", "\r") become "\n", so that a model learns one line end."""

    scope: ClassVar[Scope] = "document"

    def __call__(self, documents: Iterator[Document], _reject: Reject) -> Iterator[Document]:
        """Drops nothing."""
        for document in documents:
            if "\r" in document.text:
                yield replace(document, text=document.text.replace("\r\n", "\n").replace("\r", "\n"))
            else:
                yield document


class DropEmpty:
    """Documents of nothing but white space go."""

    scope: ClassVar[Scope] = "document"

    def __call__(self, documents: Iterator[Document], reject: Reject) -> Iterator[Document]:
        """Drops with the reason "no text"."""
        for document in documents:
            if document.text and not document.text.isspace():
                yield document
            else:
                reject(document, "no text")
