"""Where the rows of a batch come from: a stream of joined documents, or whole samples packed together.

A row is a function of its place alone, and a place is three numbers: that is all a resumed run needs to know.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from axk1.data.pack import best_fit
from axk1.data.permutation import Permutation
from axk1.data.shards import TokenShards

__all__ = ["IGNORED", "PADDING", "PackedRows", "Place", "Row", "Rows", "StreamRows"]

IGNORED = -100  # a target that is not trained on (the convention of torch and transformers)
PADDING = -1  # the document id of positions that belong to no sample

_BLOCK = 1024  # documents whose place in the order is computed together
_WINDOW = 4096  # samples packed together: enough for rows that are over 99 % full

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Place:
    """A stream's is token `offset` of the document at `position` in the epoch's order; offset 0 is the separator.

    Of packed rows it is row `offset` of the window of samples that begins at `position`. Of staged rows it is row
    `position` of the run, with a place in the stream of every source.
    """

    epoch: int = 0
    position: int = 0
    offset: int = 0
    sources: tuple["Place", ...] = ()


@dataclass(frozen=True)
class Row:
    """All of one length; `targets[t]` is what follows `tokens[t]`, or IGNORED."""

    tokens: Ids
    targets: Ids
    documents: npt.NDArray[np.int32] | None


class Rows(Protocol):
    """A source of rows."""

    def row(self, place: Place) -> tuple[Row, Place]:
        """The row at the place, and the place of the next row."""
        ...


class _Order:
    """Which document comes when: a permutation per epoch, computed a block at a time."""

    def __init__(self, documents: int, seed: int) -> None:
        self._documents, self._seed = documents, seed
        self._held, self._block = (-1, -1), list[int]()

    def at(self, epoch: int, position: int) -> int:
        block = position // _BLOCK
        if self._held != (epoch, block):
            self._held, self._block = (epoch, block), self.span(epoch, block * _BLOCK, (block + 1) * _BLOCK)
        return self._block[position % _BLOCK]

    def span(self, epoch: int, start: int, stop: int) -> list[int]:
        return Permutation(self._documents, (self._seed, epoch)).at(start, stop)


class StreamRows:
    """The separator and a document, the separator and the next, cut into rows; epochs follow without a seam.

    `span`: of these documents only.
    """

    def __init__(self, shards: TokenShards, seq_len: int, seed: int, separator: int, span: range | None = None) -> None:
        self._shards, self._seq_len, self._separator = shards, seq_len, separator
        self._span = range(len(shards)) if span is None else span
        self._order = _Order(len(self._span), seed)

    def document_at(self, epoch: int, position: int) -> int:
        """Which document comes at this position of the epoch."""
        return self._span[self._order.at(epoch, position)]

    def row(self, place: Place) -> tuple[Row, Place]:
        """See Rows."""
        tokens = np.empty(self._seq_len + 1, np.int64)
        place = self._fill(tokens[:-1], place)
        self._fill(tokens[-1:], place)  # the last target, which the next row begins with
        return Row(tokens[:-1], tokens[1:].copy(), None), place

    def _fill(self, tokens: Ids, place: Place) -> Place:
        filled = 0
        while filled < len(tokens):
            index = self.document_at(place.epoch, place.position)
            if place.offset == 0:
                tokens[filled] = self._separator
                filled, place = filled + 1, Place(place.epoch, place.position, 1)
            ids = self._shards.document(index, place.offset - 1, len(tokens) - filled)
            tokens[filled : filled + len(ids)] = ids
            filled, offset = filled + len(ids), place.offset + len(ids)
            ended = offset > self._shards.length(index)
            place = self._after(place) if ended else Place(place.epoch, place.position, offset)
        return place

    def _after(self, place: Place) -> Place:
        if place.position + 1 < len(self._span):
            return Place(place.epoch, place.position + 1)
        return Place(place.epoch + 1)


class PackedRows:
    """Whole samples, best-fit into rows; those of under 2 or over seq_len + 1 tokens are left out."""

    def __init__(self, shards: TokenShards, seq_len: int, seed: int, padding: int) -> None:
        self._shards, self._seq_len, self._seed, self._padding = shards, seq_len, seed, padding
        self._order = _Order(len(shards), seed)
        self._held, self._window = (-1, -1), list[list[int]]()

    def row(self, place: Place) -> tuple[Row, Place]:
        """See Rows."""
        while place.offset >= len(window := self._rows_of(place)):
            end = place.position + _WINDOW >= len(self._shards)
            place = Place(place.epoch + 1) if end else Place(place.epoch, place.position + _WINDOW)
        return self._filled(window[place.offset]), Place(place.epoch, place.position, place.offset + 1)

    def _rows_of(self, place: Place) -> list[list[int]]:
        """The rows of the window, as document indices, in a random order (packing puts long ones first)."""
        key = (place.epoch, place.position)
        if self._held != key:
            span = self._order.span(place.epoch, place.position, place.position + _WINDOW)
            lengths = {index: self._shards.length(index) - 1 for index in span}
            fitting = [index for index in span if 0 < lengths[index] <= self._seq_len]
            rows = best_fit([lengths[index] for index in fitting], self._seq_len)
            shuffled = Permutation(len(rows), (self._seed, *key, 1)).at(0, len(rows)) if rows else []
            self._held, self._window = key, [[fitting[i] for i in rows[row]] for row in shuffled]
        return self._window

    def _filled(self, samples: list[int]) -> Row:
        tokens = np.full(self._seq_len, self._padding, np.int64)
        targets = np.full(self._seq_len, IGNORED, np.int64)
        documents = np.full(self._seq_len, PADDING, np.int32)
        start = 0
        for number, index in enumerate(samples):
            ids = self._shards.document(index).astype(np.int64)
            span = slice(start, start + len(ids) - 1)  # the last token is only ever a target
            tokens[span], targets[span], documents[span] = ids[:-1], ids[1:], number
            if self._shards.summary.loss_mask:
                targets[span][~self._shards.loss_mask(index)[1:]] = IGNORED
            start = span.stop
        return Row(tokens, targets, documents)
