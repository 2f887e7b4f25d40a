"""The module that reads a format, found by name: a corpus of .txt files needs none of their packages."""

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from axk1.corpus.formats.limits import Limits
from axk1.corpus.formats.vision import Vision
from axk1.corpus.streams import CorpusError

__all__ = ["ENDINGS", "FACTS", "MODULES", "records"]

Row = Mapping[str, str]

# Ending of a file's name → module of this package. Those in _MANY hold many documents, the others one.
ENDINGS: Mapping[str, str] = {
    ".html": "html",
    ".htm": "html",
    ".warc": "warc",
    ".warc.gz": "warc",
    ".pdf": "pdf",
    ".docx": "docx",
    ".pptx": "pptx",
    ".hwp": "hwp",
    ".hwpx": "hwpx",
    ".epub": "epub",
    ".xml.bz2": "wikipedia",
}
MODULES = frozenset(ENDINGS.values())
_MANY = {"warc", "wikipedia"}
FACTS = ("url", "title", "license", "date", "author")  # what may come as a document's metadata


def records(path: Path, module: str, limits: Limits, vision: Vision | None) -> Iterator[tuple[int, Callable[[], Row]]]:
    """(place, function that reads it) of every document of a file; what is wrong with one is raised by its function."""
    if module == "pdf" and vision is not None:
        yield 1, partial(_row, partial(_reader("vision").read, path, limits, vision))
    elif module in _MANY:
        for place, parse in _reader(module).records(path, limits):
            yield place, partial(_row, parse)
    else:
        yield 1, partial(_row, partial(_reader(module).read, path, limits))


def _reader(module: str) -> Any:
    return importlib.import_module(f"axk1.corpus.formats.{module}")


def _row(parse: Callable[[], tuple[str, Mapping[str, str]]]) -> Row:
    text, facts = parse()
    if not text.strip():
        raise CorpusError("no text in the document")
    return {"text": re.sub(r"\n{3,}", "\n\n", text), **{key: facts[key] for key in FACTS if facts.get(key)}}
