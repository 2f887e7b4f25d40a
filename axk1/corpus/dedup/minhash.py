"""MinHash signatures: how much two texts have in common, estimated from 128 bytes each, and bands to look them up by.

One permutation with optimal densification (Li, Owen, Zhang 2012; Shrivastava 2017): a shingle's hash names its slot and
its value, so a text costs one pass whatever the number of slots. Its empty slots, many in a short text, borrow from
full ones by a fixed order, the same in every text.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from axk1.corpus.dedup.shingles import Hashes, mixed

__all__ = ["SLOTS", "Bands", "bands_for", "signature", "similarity"]

SLOTS = 128
_BANDS = 16
_FOUND = 0.95
_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)

Signature = NDArray[np.uint8]


@dataclass(frozen=True)
class Bands:
    """Two signatures meet when all `rows` slots of at least one of `bands` bands are equal."""

    bands: int
    rows: int

    def probability(self, jaccard: float) -> float:
        """That two texts of this similarity meet: the S-curve."""
        return float(1 - (1 - jaccard**self.rows) ** self.bands)

    def digests(self, signature: Signature) -> list[bytes]:
        """A 10-byte digest per band."""
        data, rows = signature.tobytes(), self.rows
        bands = (data[start : start + rows] for start in range(0, self.bands * rows, rows))
        return [blake2b(band, digest_size=10, salt=bytes([number])).digest() for number, band in enumerate(bands)]


def bands_for(threshold: float) -> Bands:
    """16 bands of the most rows at which 95 % of the pairs just at the threshold meet: few others are looked at."""
    rows = [rows for rows in range(1, SLOTS // _BANDS + 1) if Bands(_BANDS, rows).probability(threshold) >= _FOUND]
    return Bands(_BANDS, max(rows, default=1))


def signature(hashes: Hashes) -> Signature:
    """The signature of a text by the hashes of its shingles (at least one), SLOTS bytes.

    A byte a slot: unequal slots agree by chance once in 256, which `similarity` takes into account.
    """
    least = np.full(SLOTS, _EMPTY, np.uint64)
    np.minimum.at(least, (hashes >> np.uint64(64 - 7)).astype(np.intp), hashes)
    empty = np.flatnonzero(least == _EMPTY)
    if len(empty):
        least = _densified(least, empty)
    return mixed(least).astype(np.uint8)


def similarity(one: Signature, other: Signature) -> float:
    """The Jaccard similarity of the sets of shingles, estimated; standard deviation at 0.8: 0.035."""
    equal = float(np.count_nonzero(one == other)) / SLOTS
    return max(0.0, (equal - 1 / 256) / (1 - 1 / 256))


def _densified(least: Hashes, empty: NDArray[np.intp]) -> Hashes:
    donors = _donors()[empty]
    first_full = np.argmax(least[donors] != _EMPTY, axis=1)
    dense = least.copy()
    dense[empty] = least[donors[np.arange(len(empty)), first_full]]
    return dense


@cache
def _donors() -> NDArray[np.intp]:
    """For every slot the order in which it asks the others."""
    pairs = mixed(np.arange(SLOTS * SLOTS, dtype=np.uint64).reshape(SLOTS, SLOTS))
    return np.argsort(pairs, axis=1)
