"""Which items' words a document holds: long runs of the same letters, and whole items with small changes."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from axk1.corpus.dedup.shingles import Codes, Hashes, ngram_hashes

__all__ = ["Containment", "Overlap", "Postings", "Runs"]

_FILTER_BITS = 26  # 8 MiB: with a million hashes in the index, 1 foreign hash in 67 passes on to the binary search
_ROUNDING = 1e-9  # sums of weights in another order
_PART = 4096  # letters
_MANY = 64  # windows that are counted exactly, the most promising first

Places = NDArray[np.intp]


class Overlap(NamedTuple):
    """Letters `start` to `end` of the document hold `share` of the item's shingles."""

    item: int
    start: int
    end: int
    share: float


class Postings:
    """Hashes → the items that hold them, sorted flat arrays; 12 bytes a posting."""

    def __init__(self, hashes: Hashes, items: NDArray[np.int32]) -> None:
        self.hashes = hashes
        self.items = items
        self._filter = np.zeros(1 << (_FILTER_BITS - 3), np.uint8)
        place, bit = _filter_place(hashes)
        np.bitwise_or.at(self._filter, place, bit)

    @classmethod
    def of(cls, hashes_of_items: Sequence[Hashes]) -> Self:
        """Every hash once an item."""
        sizes = [len(hashes) for hashes in hashes_of_items]
        flat = np.concatenate([*hashes_of_items, np.empty(0, np.uint64)])
        items = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        order = np.lexsort((items, flat))
        flat, items = flat[order], items[order]
        new = np.ones(len(flat), bool)
        new[1:] = (flat[1:] != flat[:-1]) | (items[1:] != items[:-1])
        return cls(flat[new], items[new])

    def rare(self, limit: int) -> Self:
        """Without the hashes that more than `limit` items hold: the words of templates tell nothing."""
        _, inverse, counts = np.unique(self.hashes, return_inverse=True, return_counts=True)
        stays = counts[inverse] <= limit
        return type(self)(self.hashes[stays], self.items[stays])

    def hits(self, hashes: Hashes) -> tuple[Places, NDArray[np.intp]]:
        """Places in `hashes` and the numbers of the postings found there, in the order of the places."""
        place, bit = _filter_place(hashes)
        places = np.flatnonzero(self._filter[place] & bit)
        first = np.searchsorted(self.hashes, hashes[places], "left")
        counts = np.searchsorted(self.hashes, hashes[places], "right") - first
        ends = np.cumsum(counts)
        flat = (
            np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - counts, counts) + np.repeat(first, counts)
        )
        return np.repeat(places, counts), flat


class Runs:
    """Finds the items with `length` letters in a row in the document."""

    def __init__(self, items: Sequence[Codes], length: int, rare: int) -> None:
        self._length = length
        hashes = [ngram_hashes(codes, length) if len(codes) >= length else np.empty(0, np.uint64) for codes in items]
        self._sizes = np.array([len(one) for one in hashes])
        self._postings = Postings.of(hashes).rare(rare)

    def find(self, codes: Codes) -> list[Overlap]:
        """One overlap per stretch; its share is that of the item's runs."""
        if len(codes) < self._length:
            return []
        places, postings = self._postings.hits(ngram_hashes(codes, self._length))
        items = self._postings.items[postings]
        order = np.lexsort((places, items))
        places, items = places[order], items[order]
        breaks = np.flatnonzero((np.diff(items) != 0) | (np.diff(places) > self._length)) + 1
        found = []
        for stretch in np.split(np.arange(len(places)), breaks) if len(places) else []:
            item, count = int(items[stretch[0]]), len(stretch)
            start, end = int(places[stretch[0]]), int(places[stretch[-1]]) + self._length
            found.append(Overlap(item, start, end, min(1.0, count / int(self._sizes[item]))))
        return found


class _Shingled(NamedTuple):
    """An item's shingles, sorted, their weights, and the letters of a window."""

    hashes: Hashes
    weights: NDArray[np.float64]
    window: int


class Containment:
    """Finds the items of which a window of the document holds nearly all shingles, weighed by their rarity.

    The seeds of an item are its rarest shingles, half of its weight. A document that holds a share `least` of the item
    holds at least `least` - 1/2 of it in seeds; only items that pass this are counted in full.
    """

    def __init__(self, items: Sequence[Codes | None], shingle: int, least: float) -> None:
        self._shingle = shingle
        self._least = least
        hashes = [np.empty(0, np.uint64) if one is None else np.unique(ngram_hashes(one, shingle)) for one in items]
        held, counts = np.unique(np.concatenate([*hashes, np.empty(0, np.uint64)]), return_counts=True)
        weights = np.log1p(len(items) / counts)  # as of idf: what many items share tells little
        self._items = [
            _Shingled(one, weights[np.searchsorted(held, one)], 0 if codes is None else len(codes) * 3 // 2)
            for one, codes in zip(hashes, items, strict=True)
        ]
        self._overlap = max((one.window for one in self._items), default=0)
        self._totals = np.array([one.weights.sum() for one in self._items])
        seeds = [_rarest_half(one) for one in self._items]
        self._seeds = Postings.of([one.hashes for one in seeds])
        self._seed_weights = weights[np.searchsorted(held, self._seeds.hashes)]

    def find(self, codes: Codes) -> list[Overlap]:
        """The best window per item, for the items with at least the least share in it.

        A long document is looked at in parts that overlap by a window: in a book some seeds of every item are found.
        """
        hashes = ngram_hashes(codes, self._shingle)
        best = dict[int, Overlap]()
        for start in range(0, max(1, len(hashes) - self._overlap), _PART):
            for one in self._find_in(hashes[start : start + _PART + self._overlap]):
                if one.item not in best or one.share > best[one.item].share:
                    best[one.item] = one._replace(start=one.start + start, end=one.end + start)
        return list(best.values())

    def _find_in(self, hashes: Hashes) -> list[Overlap]:
        postings = np.unique(self._seeds.hits(hashes)[1])
        if not len(postings):
            return []
        numbers, inverse = np.unique(self._seeds.items[postings], return_inverse=True)
        sums = np.bincount(inverse, self._seed_weights[postings])
        promising = numbers[sums >= (self._least - 0.5) * self._totals[numbers]]
        best = (self._best(int(item), hashes) for item in promising)
        return [overlap for overlap in best if overlap]

    def _best(self, item: int, hashes: Hashes) -> Overlap | None:
        """Windows begin at hits. A sum that counts repeats twice bounds the true one: few windows need a true count."""
        mine, total = self._items[item], float(self._totals[item])
        numbers = np.minimum(np.searchsorted(mine.hashes, hashes), len(mine.hashes) - 1)
        places = np.flatnonzero(mine.hashes[numbers] == hashes)
        numbers = numbers[places]
        ends = np.searchsorted(places, places + mine.window)
        sums = np.concatenate([[0.0], np.cumsum(mine.weights[numbers])])
        bounds = (sums[ends] - sums[:-1]) / total + _ROUNDING
        best = None
        for begin in np.argsort(-bounds, kind="stable")[:_MANY]:
            if bounds[begin] < max(self._least, best.share if best else 0.0):
                break
            share = float(mine.weights[np.unique(numbers[begin : ends[begin]])].sum() / total) + _ROUNDING
            if share >= self._least and (best is None or share > best.share):
                best = Overlap(item, int(places[begin]), int(places[ends[begin] - 1]) + self._shingle, min(share, 1.0))
        return best


def _rarest_half(item: _Shingled) -> _Shingled:
    order = np.argsort(-item.weights, kind="stable")
    sums = np.cumsum(item.weights[order])
    count = int(np.searchsorted(sums, sums[-1] / 2)) + 1 if len(sums) else 0
    return item._replace(hashes=item.hashes[order[:count]], weights=item.weights[order[:count]])


def _filter_place(hashes: Hashes) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
    bits = hashes >> np.uint64(64 - _FILTER_BITS)
    return (bits >> np.uint64(3)).astype(np.intp), np.left_shift(np.uint8(1), (bits & np.uint64(7)).astype(np.uint8))
