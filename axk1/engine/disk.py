"""The limit of a disk: reads of whole pages at random places of files, past the system's cache."""

from __future__ import annotations

import errno
import mmap
import os
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["PAGE", "read_rate"]

PAGE = 4096
READ = 1 << 20  # bytes of one read, as the library's


def read_rate(files: Sequence[Path], size: int, depth: int = 8, seconds: float = 0.3) -> float:
    """Bytes per second of reading `size` bytes in one place, in pieces of READ, `depth` of them at a time.

    Where the file system has no direct reads it is the rate of ordinary ones, the system's cache included.
    """
    size = min(-(-size // PAGE) * PAGE, min(file.stat().st_size for file in files) // PAGE * PAGE)
    done = [0] * depth
    places = _Places(files, size)
    ends = time.perf_counter() + seconds

    def work(number: int) -> None:
        buffer = memoryview(mmap.mmap(-1, READ))
        while time.perf_counter() < ends:
            descriptor, offset, nbytes = places.next()
            done[number] += os.preadv(descriptor, [buffer[:nbytes]], offset)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(depth)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = sum(done) / (time.perf_counter() - began)
    places.close()
    return rate


class _Places:
    """Random places of `size` bytes, given out in pieces to whoever asks next."""

    def __init__(self, files: Sequence[Path], size: int) -> None:
        self._files = [(_open(file), file.stat().st_size) for file in files]
        self._size = size
        self._rng = random.Random(0)
        self._lock = threading.Lock()
        self._rest: list[tuple[int, int, int]] = []

    def next(self) -> tuple[int, int, int]:
        """Descriptor, offset, bytes."""
        with self._lock:
            if not self._rest:
                descriptor, length = self._rng.choice(self._files)
                first = self._rng.randrange((length - self._size) // PAGE + 1) * PAGE
                pieces = range(first, first + self._size, READ)
                self._rest = [(descriptor, at, min(READ, first + self._size - at)) for at in pieces]
            return self._rest.pop()

    def close(self) -> None:
        for descriptor, _ in self._files:
            os.close(descriptor)


def _open(file: Path) -> int:
    try:
        return os.open(file, os.O_RDONLY | os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.open(file, os.O_RDONLY)
