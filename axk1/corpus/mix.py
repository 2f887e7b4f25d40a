"""How much of each source goes into a corpus: caps in bytes, filled by a sample that no order of files can bias."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from axk1.corpus.documents import Document, Reject
from axk1.corpus.readers import read
from axk1.corpus.source import Source
from axk1.corpus.split import position

__all__ = ["Sample", "cap_of", "capped", "mixed", "sample_within", "utf8_length"]

_BUCKETS = 1 << 16


@dataclass(frozen=True)
class Sample:
    """A uniform sample of texts: those in the lowest `classes` of 65,536 classes of a hash of the text."""

    classes: int
    seed: int

    def __contains__(self, text: str) -> bool:
        return _bucket(text, self.seed) < self.classes


def mixed(source: Source, total_bytes: int | None, seed: int, reject: Reject) -> Iterator[Document]:
    """The documents of the source under its cap, in the order of the files. Raises CorpusError, OSError, ValueError.

    The cap counts bytes of UTF-8 as read, before any cleaning. A Hugging Face dataset is never read twice, so there the
    cap takes the first documents.
    """
    cap = cap_of(source, total_bytes)
    if cap is None:
        yield from read(source, reject)
    elif source.take == "first" or source.is_hub:
        yield from _first(read(source, reject), cap)
    else:
        yield from capped(read(source, _ignore), read(source, reject), cap, seed)


def cap_of(source: Source, total_bytes: int | None) -> int | None:
    """The most bytes that the source may give; None without a limit. ValueError for a share of an unknown total."""
    if source.share is None:
        return source.max_bytes
    if total_bytes is None:
        raise ValueError(f"source {source.label}: share needs the corpus' total_bytes")
    return int(source.share * total_bytes)


def capped(counted: Iterator[Document], documents: Iterator[Document], cap: int, seed: int) -> Iterator[Document]:
    """A uniform sample of whole documents of at most `cap` bytes, or everything if it fits.

    `counted` and `documents` are two readings of the same: the first adds up the bytes in 65,536 classes of a hash of
    the text, the second keeps the lowest classes that fit under the cap. Constant memory; a larger cap keeps what a
    smaller one kept.
    """
    sample = sample_within(cap, counted, seed)
    return (document for document in documents if document.text in sample)


def sample_within(cap: int, documents: Iterable[Document], seed: int) -> Sample:
    """The largest sample of these documents of at most `cap` bytes."""
    sizes = [0] * _BUCKETS
    for document in documents:
        sizes[_bucket(document.text, seed)] += utf8_length(document.text)
    return Sample(_classes_within(sizes, cap), seed)


def utf8_length(text: str) -> int:
    """Bytes of the text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8"))


def _ignore(document: Document, reason: str) -> None:
    """The first reading keeps no rejects: the second one will."""


def _first(documents: Iterator[Document], cap: int) -> Iterator[Document]:
    taken = 0
    for document in documents:
        taken += utf8_length(document.text)
        if taken > cap:
            return
        yield document


def _classes_within(sizes: list[int], cap: int) -> int:
    total = 0
    for kept, size in enumerate(sizes):
        total += size
        if total > cap:
            return kept
    return len(sizes)


def _bucket(text: str, seed: int) -> int:
    return int(position(text, f"sample {seed}") * _BUCKETS)
