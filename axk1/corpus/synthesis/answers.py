"""Paid answers on disk: one line of JSON each, found again by what was asked.

A line is written by one system call and forced to disk before anything is done with it. A process that is killed leaves
at most its last line torn; that line is cut off when the file is opened again, and its request is asked once more.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from axk1.config import from_mapping, to_mapping
from axk1.corpus.streams import CorpusError
from axk1.corpus.synthesis.budget import Amount
from axk1.corpus.synthesis.completion import Answer

__all__ = ["Answers"]

_CHUNK_BYTES = 1 << 20


class _Place(NamedTuple):
    offset: int
    size: int


class Answers:
    """The file, held by one process at a time. In memory are the places only: about 200 bytes an answer.

    spent: what all answers together took; money as it was when each was paid.
    """

    def __init__(self, path: Path) -> None:
        self.spent = Amount()
        self._path = path
        self._places: dict[bytes, _Place] = {}
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._end = 0
        for line in self._whole_lines():
            self._enter(line)
        os.ftruncate(self._file, self._end)

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: str) -> Answer | None:
        """The answer to the request of this key."""
        place = self._places.get(bytes.fromhex(key))
        if place is None:
            return None
        values = json.loads(os.pread(self._file, place.size, place.offset))
        return from_mapping(values["answer"], Answer, str(self._path))

    def add(self, key: str, answer: Answer, money: float) -> None:
        """Write it down. OSError on a full disk."""
        values = {"key": key, "money": money, "answer": to_mapping(answer)}
        line = json.dumps(values, ensure_ascii=False).encode("utf-8") + b"\n"
        try:
            written = os.write(self._file, line)
            if written < len(line):
                raise OSError(f"{self._path}: the disk is full: {written} of {len(line)} bytes were written")
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        self._enter(line)

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _enter(self, line: bytes) -> None:
        try:
            values = json.loads(line)
            key, money, answer = bytes.fromhex(values["key"]), float(values["money"]), values["answer"]
            tokens = int(answer["prompt_tokens"]) + int(answer["completion_tokens"])
        except (ValueError, KeyError, TypeError) as error:
            raise CorpusError(f"{self._path}: byte {self._end}: this line is no answer ({error})") from error
        self._places.setdefault(key, _Place(self._end, len(line)))
        self._end += len(line)
        self.spent += Amount(1, tokens, money)

    def _whole_lines(self) -> Iterator[bytes]:
        held, offset = b"", 0
        while chunk := os.pread(self._file, _CHUNK_BYTES, offset):
            offset += len(chunk)
            *lines, held = (held + chunk).split(b"\n")
            for line in lines:
                yield line + b"\n"
