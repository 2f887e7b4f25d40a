"""Office files are zips of XML: both are opened here, within limits, and nowhere else."""

import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Self
from xml.etree.ElementTree import Element, ParseError

from axk1.corpus.formats.limits import Deadline, Limits, need
from axk1.corpus.streams import CorpusError

__all__ = ["Archive", "local", "parse_xml", "text_of"]

_CHUNK_BYTES = 1 << 18


class Archive:
    """The parts of a zip file. What is read counts as it unpacks: a header may lie about sizes."""

    def __init__(self, path: Path, limits: Limits, ending: str) -> None:
        self.path, self._limits, self._ending = path, limits, ending
        self._deadline, self._left = Deadline(limits, path), limits.unpacked_bytes
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise CorpusError(f"{path}: no {ending} file, or a damaged one ({error})") from error
        self.names = self._zip.namelist()

    def read(self, name: str) -> bytes:
        """A part. CorpusError when it is missing, damaged, encrypted or over the limits."""
        self._deadline.check()
        parts = list[bytes]()
        try:
            with self._zip.open(name) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    self._left -= len(chunk)
                    if self._left < 0:
                        raise CorpusError(
                            f"{self.path}: unpacks to more than {self._limits.unpacked_bytes} bytes"
                            " (limits.unpacked_bytes)"
                        )
                    parts.append(chunk)
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise CorpusError(f"{self.path}: cannot read the part {name} ({_message(error)})") from error
        return b"".join(parts)

    def xml(self, name: str) -> Element:
        """A part as XML; see `parse_xml`."""
        return parse_xml(self.read(name), f"{self.path}: {name}", self._limits, self._ending)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()


def parse_xml(data: bytes, place: str, limits: Limits, ending: str) -> Element:
    """XML without entities of its own and no deeper than `limits.depth`. CorpusError otherwise."""
    safe = need("defusedxml.ElementTree", "defusedxml", ending)
    depth = 0
    root: Element | None = None
    try:
        for event, element in safe.iterparse(BytesIO(data), events=("start", "end")):
            root = element if root is None else root
            depth += 1 if event == "start" else -1
            if depth > limits.depth:
                raise CorpusError(f"{place}: elements nested deeper than {limits.depth} (limits.depth)")
    except ParseError as error:
        raise CorpusError(f"{place}: broken XML ({error})") from error
    except ValueError as error:
        if isinstance(error, CorpusError):
            raise
        raise CorpusError(f"{place}: XML that declares entities is not read ({type(error).__name__})") from error
    if root is None:
        raise CorpusError(f"{place}: broken XML (no element)")
    return root


def local(element: Element) -> str:
    """The element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def text_of(root: Element, name: str) -> str:
    """The text of the first element of this name, "" without one."""
    found: Iterator[Element] = (element for element in root.iter() if local(element) == name)
    return "".join(next(found, Element("none")).itertext()).strip()


def _message(error: Exception) -> str:
    return str(error.args[0]) if error.args else type(error).__name__
