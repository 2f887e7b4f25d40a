"""Hancom's open format (.hwpx, OWPML): sections in order, tables as Markdown, notes after their paragraph."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

from axk1.corpus.formats.archive import Archive, local
from axk1.corpus.formats.limits import Limits
from axk1.corpus.formats.table import markdown
from axk1.corpus.streams import CorpusError

__all__ = ["read"]

_SECTION = re.compile(r"Contents/section(\d+)\.xml")
_MARKS = {"tab": "\t", "lineBreak": "\n", "nbSpace": "\u00a0", "fwSpace": " ", "hyphen": "-"}
_SKIPPED = {"secPr", "header", "footer", "hiddenComment", "pageNum", "newNum", "linesegarray", "caption", "script"}
_FACTS = {"title": "title", "creator": "author", "CreatedDate": "date"}


def read(path: Path, limits: Limits) -> tuple[str, Mapping[str, str]]:
    """The text and what the file says of itself. CorpusError, also for an encrypted file."""
    with Archive(path, limits, ".hwpx") as archive:
        if "META-INF/manifest.xml" in archive.names and b"encryption-data" in archive.read("META-INF/manifest.xml"):
            raise CorpusError(f"{path}: the .hwpx file is encrypted")
        found = sorted((int(match[1]), match[0]) for name in archive.names if (match := _SECTION.fullmatch(name)))
        if not found:
            raise CorpusError(f"{path}: no .hwpx file: it has no Contents/section0.xml")
        blocks = [block for _, name in found for block in _blocks(archive.xml(name))]
        return "\n".join(blocks).strip(), _facts(archive)


def _facts(archive: Archive) -> dict[str, str]:
    if "Contents/content.hpf" not in archive.names:
        return {}
    facts = dict[str, str]()
    for element in archive.xml("Contents/content.hpf").iter():
        key = _FACTS.get(element.get("name", "") if local(element) == "meta" else local(element))
        if key and element.text:
            facts[key] = element.text.strip()
    return facts


def _blocks(element: Element) -> Iterator[str]:
    for child in element:
        name = local(child)
        if name == "p":
            yield "".join(_inline(child)).strip(" \t")
            yield from _objects(child)
        elif name == "tbl":
            yield markdown(_rows(child))
        elif name not in _SKIPPED:
            yield from _blocks(child)


def _rows(table: Element) -> list[list[str]]:
    rows = (row for row in table if local(row) == "tr")
    return [[" ".join(filter(None, _blocks(cell))) for cell in row if local(cell) == "tc"] for row in rows]


def _inline(paragraph: Element) -> Iterator[str]:
    for run in paragraph:
        for item in run:
            if local(run) == "run" and local(item) == "t":
                yield from _characters(item)


def _characters(text: Element) -> Iterator[str]:
    yield text.text or ""
    for mark in text:
        yield _MARKS.get(local(mark), "")
        yield mark.tail or ""


def _objects(paragraph: Element) -> Iterator[str]:
    """Tables, text boxes and notes that a paragraph's runs hold beside their text."""
    for run in paragraph:
        if local(run) == "run":
            for item in run:
                if local(item) == "tbl":
                    yield markdown(_rows(item))
                elif local(item) not in _SKIPPED and local(item) != "t":
                    yield from _blocks(item)
