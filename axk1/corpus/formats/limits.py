"""What a reader may spend on one file that nobody vouches for, and how a missing package is reported."""

import importlib
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from axk1.corpus.streams import CorpusError

__all__ = ["Deadline", "Limits", "need", "read_whole"]


@dataclass(frozen=True)
class Limits:
    """Bounds for one file (WARC, Wikipedia: for one record). Above them the file is a bad record, with the reason."""

    file_bytes: int = 256 << 20  # of a file that has to be read as a whole
    unpacked_bytes: int = 512 << 20  # of all parts of a zip or OLE file that are read
    html_bytes: int = 8 << 20
    depth: int = 500  # of nested elements; deeper pages exhaust the stack of parsers
    pages: int = 3000  # of a PDF
    seconds: float = 120.0  # checked between pages and parts

    def __post_init__(self) -> None:
        for name in ("file_bytes", "unpacked_bytes", "html_bytes", "depth", "pages", "seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"limits: {name} must be above 0, found {getattr(self, name)}")


class Deadline:
    """The time that a file may take, from now on."""

    def __init__(self, limits: Limits, path: Path) -> None:
        self._end = time.monotonic() + limits.seconds
        self._seconds, self._path = limits.seconds, path

    def check(self) -> None:
        """CorpusError once the time is over."""
        if time.monotonic() > self._end:
            raise CorpusError(f"{self._path}: takes longer than {self._seconds:g} s to read (limits.seconds)")


def need(module: str, package: str, ending: str) -> ModuleType:
    """The optional package behind a format. CorpusError, with the command that installs it, when it is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise CorpusError(f"reading {ending} needs {package}: pip install 'axk1[corpus]'") from error


def read_whole(path: Path, limits: Limits) -> bytes:
    """The bytes of a file. CorpusError when it is larger than `limits.file_bytes`."""
    with open(path, "rb") as file:
        data = file.read(limits.file_bytes + 1)
    if len(data) > limits.file_bytes:
        raise CorpusError(f"{path}: larger than {limits.file_bytes >> 20} MiB (limits.file_bytes)")
    return data
