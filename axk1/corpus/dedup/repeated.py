"""Exact substring deduplication: passages that stand letter for letter in an earlier text are cut out, the first stays.

A suffix array finds such passages too, but only within what it was built over: 9 bytes of memory a byte, all of it at
once. Here the corpus streams. Of every text a few windows are sampled by their content, so that equal passages
have equal samples; a sample that was seen before is compared letter by letter in both directions with the text that
stands on disk. What is found is the same (the tests hold it against a suffix array), over a corpus of any size.
"""

import mmap
import tempfile
import weakref
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from axk1.corpus.dedup.digests import DigestMap
from axk1.corpus.dedup.passages import Span, merged, shrunk, shrunk_to_sentences, without
from axk1.corpus.dedup.shingles import Codes, Hashes, Letters, letters, ngram_hashes
from axk1.corpus.documents import Document, Reject, Scope

__all__ = ["RepeatedText", "RepeatedTextSettings"]

_CHAIN = 16  # earlier places of one sample that are compared, the latest first
_STEP = 128  # letters compared at once
_CODE = 4  # bytes a letter
_FIRST_LETTERS = 1 << 20
_PLACE = np.uint64((1 << 24) - 1)


@dataclass(frozen=True)
class RepeatedTextSettings:
    """min_letters: the shortest passage that is cut, white space and punctuation not counted; 80 are about 50 tokens.

    boundary: whether whole sentences and lines of it go, or whole words, after which a broken sentence may be left.
    leave: sources that pass as they are, and are not remembered: of a pair of sentences, half would be cut.
    memory_bytes: what the table of samples may take in memory before it moves to a temporary file.
    """

    min_letters: int = 80
    boundary: Literal["sentence", "word"] = "sentence"
    leave: tuple[str, ...] = ()
    memory_bytes: int = 4 << 30

    def __post_init__(self) -> None:
        if self.min_letters < 8:
            raise ValueError(f"min_letters must be at least 8, found {self.min_letters}")


class RepeatedText:
    """Every stretch of at least `min_letters` that stands in the kept text of earlier documents is cut out.

    A document of which nothing is left is dropped. Repeats within one document stay: a refrain is meant. Samples are
    windows of half the length, about one in 20 letters at the default.

    Memory: a sample takes 24 to 48 bytes in the table and 16 beside it, 2 to 3 bytes a letter; the kept letters lie in
    a temporary file, 4 bytes each. A sample's 16 latest earlier places are compared: of texts that have one formula of
    half the length in common, all going on differently, a repeat may stay.
    """

    scope: ClassVar[Scope] = "corpus"

    def __init__(self, settings: RepeatedTextSettings = RepeatedTextSettings()) -> None:
        self._least = settings.min_letters
        self._leave = frozenset(settings.leave)
        self._shrunk = shrunk_to_sentences if settings.boundary == "sentence" else shrunk
        self._texts = _Texts()
        self._samples = _Samples(settings.memory_bytes)
        self._length = self._least // 2  # of a sample; every stretch of `least` letters holds a whole one
        self._among = self._least - self._length + 1  # one sample is the least of so many neighbours

    def __call__(self, documents: Iterator[Document], reject: Reject) -> Iterator[Document]:
        """Drops with the reason "nothing but repeated text"."""
        for document in documents:
            if document.source in self._leave:
                yield document
                continue
            spelled = letters(document.text)
            samples = self._sampled(spelled.codes)
            spans = self._repeated(document.text, spelled, samples)
            if not spans:
                self._remember(spelled.codes, samples)
                yield document
            elif rest := without(document.text, spans):
                codes = letters(rest).codes
                self._remember(codes, self._sampled(codes))
                yield replace(document, text=rest).noted(repeated_characters=len(document.text) - len(rest))
            else:
                reject(document, "nothing but repeated text")

    def _repeated(self, text: str, spelled: Letters, samples: list["_Sample"]) -> list[Span]:
        """What is to be cut, in characters of the text."""
        stretches = merged(self._stretches(spelled.codes, samples))
        places = spelled.places
        spans = (self._shrunk(text, int(places[start]), int(places[end - 1]) + 1) for start, end in stretches)
        return [span for span in spans if span[0] < span[1]]

    def _stretches(self, codes: Codes, samples: list["_Sample"]) -> Iterator[Span]:
        """In letters."""
        done = dict[int, int]()  # by the distance between the two texts: up to where they were compared
        for sample in samples:
            for held in self._samples.places(sample.digest):
                distance = held - sample.place
                if done.get(distance, -1) >= sample.place + self._length:
                    continue
                if stretch := self._texts.match(codes, sample.place, held, self._length):
                    done[distance] = stretch[1]
                    if stretch[1] - stretch[0] >= self._least:
                        yield stretch

    def _remember(self, codes: Codes, samples: list["_Sample"]) -> None:
        begin = self._texts.append(codes)
        for sample in samples:
            self._samples.add(sample.digest, begin + sample.place)

    def _sampled(self, codes: Codes) -> list["_Sample"]:
        """Minimisers (Roberts and others 2004): in every run of neighbouring windows, the one of the least hash."""
        if len(codes) < self._least:
            return []
        hashes = ngram_hashes(codes, self._length)
        places = _minimisers(hashes, self._among)
        # 64 bits are enough: a wrong meeting costs a comparison, no more
        digests = (value.to_bytes(10, "little") for value in hashes[places].tolist())
        return [_Sample(digest, place) for digest, place in zip(digests, places.tolist(), strict=True)]


class _Sample(NamedTuple):
    digest: bytes
    place: int  # in letters


class _Samples:
    """Digest → its earlier places, the latest first: a chain through flat arrays."""

    def __init__(self, memory_bytes: int) -> None:
        self._latest = DigestMap(memory_bytes)
        self._place = array("q")
        self._before = array("q")  # number of the earlier sample with the same digest; -1: none

    def add(self, digest: bytes, place: int) -> None:
        before = self._latest.exchange(digest, len(self._place))
        self._place.append(place)
        self._before.append(-1 if before is None else before)

    def places(self, digest: bytes) -> Iterator[int]:
        number = self._latest.get(digest)
        for _ in range(_CHAIN):
            if number is None or number < 0:
                return
            yield self._place[number]
            number = self._before[number]


class _Texts:
    """The letters of all kept texts in a temporary file, with a 0 between them that no stretch crosses."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with this object)
        weakref.finalize(self, self._file.close)
        self._size = 1
        self._resize(_FIRST_LETTERS)

    def append(self, codes: Codes) -> int:
        """Where the text begins."""
        begin, end = self._size, self._size + len(codes)
        if _CODE * (end + 1) > len(self._map):
            self._resize(max(2 * len(self._map) // _CODE, end + 1))
        self._map[_CODE * begin : _CODE * end] = codes.tobytes()
        self._size = end + 1
        return begin

    def match(self, codes: Codes, place: int, held: int, length: int) -> Span | None:
        """The longest equal stretch around `length` letters from `place` and from `held`; None if those differ."""
        if (self._held(held, held + length) != codes[place : place + length]).any():
            return None
        end, start, equal = place + length, place, _STEP
        while equal == _STEP:
            equal = _equal(codes[end : end + _STEP], self._held(held + end - place, held + end - place + _STEP))
            end += equal
        equal = _STEP
        while equal == _STEP:
            left = held + start - place
            equal = _equal(codes[max(0, start - _STEP) : start][::-1], self._held(max(0, left - _STEP), left)[::-1])
            start -= equal
        return start, end

    def _held(self, start: int, end: int) -> Codes:
        """Copied: the file grows under no view."""
        return np.frombuffer(self._map[_CODE * start : _CODE * end], np.uint32)

    def _resize(self, count: int) -> None:
        self._file.truncate(_CODE * count)
        self._map = mmap.mmap(self._file.fileno(), _CODE * count)


def _equal(one: Codes, other: Codes) -> int:
    """How many letters are equal from the beginning."""
    count = min(len(one), len(other))
    different = np.flatnonzero(one[:count] != other[:count])
    return int(different[0]) if len(different) else count


def _minimisers(hashes: Hashes, among: int) -> NDArray[np.intp]:
    """The places of the least hash (the last of equal ones) of every `among` neighbours, each once.

    The key of a place is its hash with the place, counted backwards, in the lowest 24 bits.
    """
    places = np.arange(len(hashes), dtype=np.uint64)
    keys = (hashes & ~_PLACE) | (_PLACE - (places & _PLACE))
    length, among = 1, min(among, len(hashes))
    while length < among:
        step = min(length, among - length)
        keys = np.minimum(keys[:-step], keys[step:])
        length += step
    starts = places[: len(keys)]
    return np.unique(starts + ((_PLACE - (keys & _PLACE) - starts) & _PLACE)).astype(np.intp)
