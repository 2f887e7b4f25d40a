"""Settlements that wait for a database that is away: lines of JSON in the server's folder, on disk before they count.

Each running server has a file of its own and holds a lock on it; a file without a lock is that of a dead server.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

from axk1.runs import sync
from axk1.server.calls import Usage
from axk1.server.tenancy.ledger import Settlement

__all__ = ["Journal", "orphans"]


class Journal:
    """The file `<instance>.jsonl` of a folder, locked while it is open."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise
        sync(path.parent)

    @property
    def instance(self) -> str:
        """Whose journal it is."""
        return self.path.stem

    def append(self, settlements: Iterable[Settlement]) -> None:
        """On disk when it returns; OSError leaves the file as it was."""
        lines = "".join(json.dumps(_mapping(one)) + "\n" for one in settlements).encode()
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            while lines:
                lines = lines[os.write(self._file, lines) :]
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, end)
            raise

    def read(self) -> list[Settlement]:
        """All that wait. A last line without an end was never acknowledged and is left out."""
        lines = self.path.read_text(encoding="utf-8").split("\n")[:-1]
        return [_settlement(line) for line in lines]

    def empty(self) -> None:
        """Forgets what has reached the database."""
        os.ftruncate(self._file, 0)
        os.fsync(self._file)

    def close(self, remove: bool) -> None:
        """Gives the lock up."""
        if remove:
            self.path.unlink()
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(remove=kind is None)


def orphans(folder: Path) -> Iterator[Journal]:
    """The journals of servers that are dead, locked by us."""
    paths: Sequence[Path] = sorted(folder.glob("*.jsonl"))
    for path in paths:
        try:
            yield Journal(path)
        except BlockingIOError:
            continue


def _mapping(one: Settlement) -> dict[str, object]:
    return {"id": one.id, "outcome": one.outcome, "at": one.at, "usage": vars(one.usage)}


def _settlement(line: str) -> Settlement:
    value = json.loads(line)
    return Settlement(value["id"], Usage(**value["usage"]), value["outcome"], value["at"])
