"""Near deduplication: documents, or paragraphs, that are nearly the same as one before them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from axk1.corpus.dedup.digests import DigestMap
from axk1.corpus.dedup.minhash import SLOTS, Signature, bands_for, signature, similarity
from axk1.corpus.dedup.shingles import letters, ngram_hashes
from axk1.corpus.documents import Document, Reject, Scope

__all__ = ["NearDedup", "NearDedupSettings"]

_PARAGRAPHS = re.compile(r"(\n[ \t]*\n\s*)")  # with what stands between them, so that the rest joins as it was


@dataclass(frozen=True)
class NearDedupSettings:
    """What counts as a copy, and what the tables may take in memory before they move to a temporary file.

    threshold: the Jaccard similarity of the two sets of shingles. Sister texts that differ in names (statutes,
    reference pages) reach 0.9; copies with other particles in every fifth word fall to 0.8. shingle: letters a shingle,
    white space and punctuation left out. min_letters: a shorter text is a copy only when all its letters are the same.
    """

    threshold: float = 0.8
    unit: Literal["document", "paragraph"] = "document"
    shingle: int = 5
    min_letters: int = 60
    memory_bytes: int = 4 << 30

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, found {self.threshold}")
        if self.shingle < 1:
            raise ValueError(f"shingle must be at least 1, found {self.shingle}")


class NearDedup:
    """The first of several nearly equal documents stays; of the unit "paragraph", the first of such paragraphs.

    What a document resembles stands in the rejects (`copy_of`, `similarity`). Later texts are compared with those
    that stayed, never with dropped ones: a chain of small changes does not drop its far end. Paragraphs of one document
    are not compared with each other, and of less than `min_letters` stay.

    Memory: 16 bands of 24 to 48 bytes, a signature of 128 and the id, so 0.6 to 1 KB a text of `min_letters` or
    more, 24 to 48 bytes and the id a shorter one.
    """

    scope: ClassVar[Scope] = "corpus"

    def __init__(self, settings: NearDedupSettings = NearDedupSettings()) -> None:
        self._settings = settings
        self._index = _Index(settings)

    def __call__(self, documents: Iterator[Document], reject: Reject) -> Iterator[Document]:
        """Drops with the reasons "nearly a copy" and "nothing but copied paragraphs"."""
        yield from (self._whole if self._settings.unit == "document" else self._parts)(documents, reject)

    def _whole(self, documents: Iterator[Document], reject: Reject) -> Iterator[Document]:
        for document in documents:
            text = self._index.fingerprint(document.text)
            if text is None:
                yield document
            elif copy := self._index.find(text):
                reject(document.noted(copy_of=copy.id, similarity=round(copy.similarity, 3)), "nearly a copy")
            else:
                self._index.add(text, _name(document))
                yield document

    def _parts(self, documents: Iterator[Document], reject: Reject) -> Iterator[Document]:
        for document in documents:
            parts = _PARAGRAPHS.split(document.text)
            new, copied = list[_Fingerprint](), list[int]()
            for number in range(0, len(parts), 2):
                text = self._index.fingerprint(parts[number], or_short=False)
                if text is not None and self._index.find(text):
                    copied.append(number)
                elif text is not None:
                    new.append(text)
            for text in new:
                self._index.add(text, _name(document))
            if copied and not (rest := _without(parts, copied)):
                reject(document, "nothing but copied paragraphs")
            elif copied:
                yield replace(document, text=rest).noted(copied_paragraphs=len(copied))
            else:
                yield document


class _Fingerprint(NamedTuple):
    digests: list[bytes]  # one per band, or one of the whole text when it is short
    signature: Signature | None  # None for a short text


class _Copy(NamedTuple):
    id: str
    similarity: float


class _Index:
    """The texts that stayed: bands → number; number → signature and id."""

    def __init__(self, settings: NearDedupSettings) -> None:
        self._settings = settings
        self._bands = bands_for(settings.threshold)
        self._numbers = DigestMap(settings.memory_bytes)
        self._signatures = bytearray()
        self._ids = bytearray()
        self._ends = [0]

    def fingerprint(self, text: str, or_short: bool = True) -> _Fingerprint | None:
        """None for a text without letters, and for a short one unless those count."""
        codes = letters(text).codes
        if len(codes) >= max(self._settings.min_letters, 1):
            signed = signature(ngram_hashes(codes, self._settings.shingle))
            return _Fingerprint(self._bands.digests(signed), signed)
        if or_short and len(codes):
            return _Fingerprint([blake2b(codes.tobytes(), digest_size=10).digest()], None)
        return None

    def find(self, text: _Fingerprint) -> _Copy | None:
        """The most similar text that stayed, the earliest of several, at or above the threshold."""
        found = {number for digest in text.digests if (number := self._numbers.get(digest)) is not None}
        best, minus_number = max(((self._similarity(text, number), -number) for number in found), default=(-1.0, 0))
        return _Copy(self._id(-minus_number), best) if best >= self._settings.threshold else None

    def add(self, text: _Fingerprint, id_: str) -> None:
        """A band that an earlier text holds stays with it."""
        number = len(self._ends) - 1
        for digest in text.digests:
            self._numbers.add(digest, number)
        self._signatures += bytes(SLOTS) if text.signature is None else text.signature.tobytes()
        self._ids += id_.encode("utf-8")
        self._ends.append(len(self._ids))

    def _similarity(self, text: _Fingerprint, number: int) -> float:
        if text.signature is None:
            return 1.0
        held = self._signatures[number * SLOTS : (number + 1) * SLOTS]
        return similarity(text.signature, np.frombuffer(held, np.uint8))

    def _id(self, number: int) -> str:
        return self._ids[self._ends[number] : self._ends[number + 1]].decode("utf-8")


def _name(document: Document) -> str:
    return f"{document.source}/{document.id}"


def _without(parts: list[str], copied: list[int]) -> str:
    """The paragraphs that stay, each with the gap before it."""
    gone = set(copied)
    stay = [number for number in range(0, len(parts), 2) if number not in gone]
    return "".join(("" if place == 0 else parts[number - 1]) + parts[number] for place, number in enumerate(stay))
