"""Exact deduplication by 16-byte digests, in stated and bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import ClassVar

from axk1.corpus.dedup.digests import DigestSet
from axk1.corpus.documents import Document, Reject, Scope

__all__ = ["ExactDedup", "ExactDedupSettings"]


@dataclass(frozen=True)
class ExactDedupSettings:
    """memory_bytes: what the table of digests may take in memory before it moves to a temporary file."""

    memory_bytes: int = 1 << 30


class ExactDedup:
    """The first document with a text stays, later ones with the very same text go, across all sources of a build.

    Memory: 24 to 48 bytes a document (a Python set needs over 100) and half as much again while the table grows. The
    default of 1 GiB is enough for 44 million documents. Two different texts among a billion share a digest with
    probability 2^-69.
    """

    scope: ClassVar[Scope] = "corpus"

    def __init__(self, settings: ExactDedupSettings = ExactDedupSettings()) -> None:
        self._seen = DigestSet(settings.memory_bytes)

    def __call__(self, documents: Iterator[Document], reject: Reject) -> Iterator[Document]:
        """Drops with the reason "seen before"."""
        for document in documents:
            if self._seen.add(blake2b(document.text.encode("utf-8"), digest_size=16).digest()):
                yield document
            else:
                reject(document, "seen before")
