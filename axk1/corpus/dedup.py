"""Exact deduplication by 16-byte digests, in stated and bounded memory."""

import mmap
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import ClassVar

from axk1.corpus.documents import Document, Reject, Scope

__all__ = ["DigestSet", "ExactDedup", "ExactDedupSettings"]

_DIGEST = 16
_EMPTY = bytes(_DIGEST)
_FIRST_SLOTS = 1 << 16


@dataclass(frozen=True)
class ExactDedupSettings:
    """memory_bytes: what the table of digests may take in memory before it moves to a temporary file."""

    memory_bytes: int = 1 << 30


class ExactDedup:
    """The first document with a text stays, later ones with the very same text go, across all sources of a build.

    Memory: 16 bytes a slot, at most two thirds of the slots taken, so 24 to 48 bytes a document (a Python set needs
    over 100) and half as much again while it grows. The default of 1 GiB is enough for 44 million documents; a larger
    table lies in a temporary file that the system pages, slower but of no fixed limit. Two different texts among a
    billion share a digest with probability 2^-69.
    """

    scope: ClassVar[Scope] = "corpus"

    def __init__(self, settings: ExactDedupSettings = ExactDedupSettings()) -> None:
        self._seen = DigestSet(settings.memory_bytes)

    def __call__(self, documents: Iterator[Document], reject: Reject) -> Iterator[Document]:
        """Drops with the reason "seen before"."""
        for document in documents:
            if self._seen.add(blake2b(document.text.encode("utf-8"), digest_size=_DIGEST).digest()):
                yield document
            else:
                reject(document, "seen before")


class DigestSet:
    """A set of 16-byte digests in one flat table (open addressing, linear probing)."""

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._count = 0
        self._table = self._new_table(_FIRST_SLOTS)

    def __len__(self) -> int:
        return self._count

    def add(self, digest: bytes) -> bool:
        """Whether the digest is new; it is in the set afterwards."""
        if digest == _EMPTY:  # stands for a free slot
            digest = b"\1" + digest[1:]
        if 3 * (self._count + 1) * _DIGEST > 2 * len(self._table):
            self._grow()
        new = _insert(self._table, digest)
        self._count += new
        return new

    def _grow(self) -> None:
        old, self._table = self._table, self._new_table(2 * len(self._table) // _DIGEST)
        for start in range(0, len(old), _DIGEST):
            if (digest := old[start : start + _DIGEST]) != _EMPTY:
                _insert(self._table, digest)
        old.close()

    def _new_table(self, slots: int) -> mmap.mmap:
        size = slots * _DIGEST
        if size <= self._memory_bytes:
            return mmap.mmap(-1, size)
        with tempfile.TemporaryFile() as file:  # the map keeps the nameless file alive
            file.truncate(size)
            return mmap.mmap(file.fileno(), size)


def _insert(table: mmap.mmap, digest: bytes) -> bool:
    mask = len(table) - 1  # the sizes are powers of two
    start = int.from_bytes(digest[:8], "little") * _DIGEST & mask
    while (held := table[start : start + _DIGEST]) != _EMPTY:
        if held == digest:
            return False
        start = start + _DIGEST & mask
    table[start : start + _DIGEST] = digest
    return True
