"""What has been answered so far: a file to which each line's result is added once, on disk before it counts."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson

__all__ = ["Partial", "Result"]


@dataclass(frozen=True)
class Result:
    """What became of a line: `record` is what the output (`ok`) or error file will say of it."""

    line: int
    ok: bool
    record: dict[str, Any]


class Partial:
    """Results in the order in which they came. One process at a time may have it open; threads may share it."""

    def __init__(self, path: Path, done: set[int], failed: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._path, self._lock, self._closed = path, threading.Lock(), False
        self.done, self.failed = done, failed

    @classmethod
    def open(cls, path: Path) -> Self:
        """Begins the file, or goes on with it: a last line that was cut off (the machine or process died) is removed,
        so its request is asked again."""
        done: set[int] = set()
        failed = 0
        if path.exists():
            os.truncate(path, _whole_bytes(path))
            for result in _results(path):
                done.add(result.line)
                failed += not result.ok
        return cls(path, done, failed)

    @property
    def completed(self) -> int:
        """Lines that were answered."""
        return len(self.done) - self.failed

    def add(self, result: Result) -> None:
        """On disk when this returns. After `close` nothing is added: the line was given up and is asked again."""
        data = orjson.dumps(result) + b"\n"
        with self._lock:
            if self._closed:
                return
            assert result.line not in self.done, result.line
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
            self.done.add(result.line)
            self.failed += not result.ok

    def results(self) -> Iterator[Result]:
        """All so far."""
        return _results(self._path)

    def close(self) -> None:
        """Waits for a result that is being added."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._file)


def _results(path: Path) -> Iterator[Result]:
    with path.open("rb") as file:
        for raw in file:
            yield Result(**orjson.loads(raw))


def _whole_bytes(path: Path) -> int:
    """Bytes up to and with the last line end."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - (1 << 16))
            file.seek(start)
            place = file.read(end - start).rfind(b"\n")
            if place >= 0:
                return start + place + 1
            end = start
    return 0
