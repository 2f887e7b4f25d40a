"""A random order of n things that is computed, not stored: position → index in constant memory."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Permutation"]

Indices = npt.NDArray[np.uint64]

_ROUNDS = 6
_ONE = np.uint64(1)


class Permutation:
    """A bijection of 0 … n - 1 that `key` (numbers from 0) chooses, by a Feistel network with cycle walking.

    The network permutes the numbers of b bits, b the fewest that hold n - 1: in turn one half is xored with a hash of
    the other, which can be undone whatever the hash is. A result outside 0 … n - 1 goes through it again (at most every
    second does), which makes a permutation of 0 … n - 1 of it (Black and Rogaway, "Ciphers with arbitrary finite
    domains", 2002). A stored order of a billion documents would take 8 GB, and as long as an epoch to shuffle on disk.
    """

    def __init__(self, size: int, key: Sequence[int]) -> None:
        if size < 1:
            raise ValueError(f"a permutation needs something to permute, found size {size}")
        bits = max(2, (size - 1).bit_length())
        self._size = size
        self._shift = np.uint64(bits // 2)
        self._low = (_ONE << self._shift) - _ONE
        self._high = (_ONE << np.uint64(bits - bits // 2)) - _ONE
        self._keys = np.random.SeedSequence(key).generate_state(_ROUNDS, np.uint64)

    def __len__(self) -> int:
        return self._size

    def at(self, start: int, stop: int) -> list[int]:
        """The indices at the positions start … stop - 1 (cut off at n)."""
        positions = np.arange(start, min(stop, self._size), dtype=np.uint64)
        indices = self._network(positions)
        while len(outside := np.flatnonzero(indices >= self._size)):
            indices[outside] = self._network(indices[outside])
        result: list[int] = indices.tolist()
        return result

    def _network(self, numbers: Indices) -> Indices:
        low, high = numbers & self._low, numbers >> self._shift
        for round_, key in enumerate(self._keys):
            if round_ % 2:
                low = low ^ (_hash(high, key) & self._low)
            else:
                high = high ^ (_hash(low, key) & self._high)
        return high << self._shift | low


def _hash(numbers: Indices, key: np.uint64) -> Indices:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014) on numbers + key."""
    mixed = numbers + key
    mixed = (mixed ^ mixed >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ mixed >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return mixed ^ mixed >> np.uint64(31)
