"""A set and a map of digests in flat tables of stated and bounded memory."""

import mmap
import tempfile

__all__ = ["DigestMap", "DigestSet"]

_SLOT = 16
_KEY, _NUMBER = 10, 6  # bytes of a map's slot
_FIRST_SLOTS = 1 << 16


class DigestSet:
    """A set of 16-byte digests. Memory: 16 bytes a slot, at most two thirds of the slots taken, so 24 to 48 bytes each.

    A table above `memory_bytes` lies in a temporary file that the system pages: slower, but of no fixed limit.
    """

    def __init__(self, memory_bytes: int) -> None:
        self._slots = _Slots(_SLOT, memory_bytes)

    def __len__(self) -> int:
        return self._slots.count

    def add(self, digest: bytes) -> bool:
        """Whether the digest is new; it is in the set afterwards."""
        key = _not_empty(digest)
        start, held = self._slots.find(key)
        if held is None:
            self._slots.put(start, key)
        return held is None


class DigestMap:
    """10-byte digests, each with a number from 0 to 2^48 - 1. Memory as of a DigestSet: 24 to 48 bytes a digest."""

    def __init__(self, memory_bytes: int) -> None:
        self._slots = _Slots(_KEY, memory_bytes)

    def __len__(self) -> int:
        return self._slots.count

    def get(self, digest: bytes) -> int | None:
        """The number held under the digest."""
        held = self._slots.find(_not_empty(digest))[1]
        return None if held is None else int.from_bytes(held[_KEY:], "little")

    def add(self, digest: bytes, number: int) -> None:
        """Hold the number under the digest, unless one is held."""
        key = _not_empty(digest)
        start, held = self._slots.find(key)
        if held is None:
            self._slots.put(start, key + number.to_bytes(_NUMBER, "little"))

    def exchange(self, digest: bytes, number: int) -> int | None:
        """Hold the number under the digest from now on; the one held before."""
        key = _not_empty(digest)
        start, held = self._slots.find(key)
        self._slots.put(start, key + number.to_bytes(_NUMBER, "little"), is_new=held is None)
        return None if held is None else int.from_bytes(held[_KEY:], "little")


class _Slots:
    """Open addressing with linear probing; a slot whose key is all zeros is free."""

    def __init__(self, key_bytes: int, memory_bytes: int) -> None:
        self.count = 0
        self._key_bytes = key_bytes
        self._memory_bytes = memory_bytes
        self._table = _new_table(_FIRST_SLOTS, memory_bytes)

    def find(self, key: bytes) -> tuple[int, bytes | None]:
        """Where the key's slot begins, and what it holds; None for a free one."""
        table, size = self._table, len(key)
        mask = len(table) - 1  # the sizes are powers of two
        start = int.from_bytes(key[:8], "little") * _SLOT & mask
        free = bytes(size)
        while (held := table[start : start + size]) != key:
            if held == free:
                return start, None
            start = start + _SLOT & mask
        return start, table[start : start + _SLOT]

    def put(self, start: int, slot: bytes, is_new: bool = True) -> None:
        """Fill the slot that `find` named."""
        self._table[start : start + _SLOT] = slot
        self.count += is_new
        if 3 * (self.count + 1) * _SLOT > 2 * len(self._table):
            self._grow()

    def _grow(self) -> None:
        old, self._table = self._table, _new_table(2 * len(self._table) // _SLOT, self._memory_bytes)
        free = bytes(self._key_bytes)
        for begin in range(0, len(old), _SLOT):
            if (key := old[begin : begin + self._key_bytes]) != free:
                start, _ = self.find(key)
                self._table[start : start + _SLOT] = old[begin : begin + _SLOT]
        old.close()


def _not_empty(digest: bytes) -> bytes:
    return digest if any(digest) else b"\1" + digest[1:]


def _new_table(slots: int, memory_bytes: int) -> mmap.mmap:
    size = slots * _SLOT
    if size <= memory_bytes:
        return mmap.mmap(-1, size)
    with tempfile.TemporaryFile() as file:  # the map keeps the nameless file alive
        file.truncate(size)
        return mmap.mmap(file.fileno(), size)
