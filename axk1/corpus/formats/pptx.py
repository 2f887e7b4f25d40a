"""PowerPoint files (.pptx): slides in show order, tables as Markdown, the speaker's notes after their slide."""

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

from axk1.corpus.formats.archive import Archive, local
from axk1.corpus.formats.docx import core_facts
from axk1.corpus.formats.limits import Limits
from axk1.corpus.formats.table import markdown

__all__ = ["read"]

_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_FURNITURE = {"sldNum", "dt", "ftr", "hdr"}  # placeholders for slide number, date, footer, header


def read(path: Path, limits: Limits) -> tuple[str, Mapping[str, str]]:
    """The text, an empty line between slides, and what the file says of itself. CorpusError."""
    with Archive(path, limits, ".pptx") as archive:
        slides = [_slide(archive, name) for name in _slides(archive)]
        return "\n\n".join(filter(None, slides)), core_facts(archive)


def _slides(archive: Archive) -> Iterator[str]:
    main = "ppt/presentation.xml"
    targets = {number: target for number, _, target in _relations(archive, main)}
    for element in archive.xml(main).iter():
        if local(element) == "sldId" and element.get(_ID) in targets:
            yield targets[element.get(_ID, "")]


def _slide(archive: Archive, name: str) -> str:
    blocks = list(_blocks(archive.xml(name)))
    for _, kind, target in _relations(archive, name):
        if kind.endswith("/notesSlide") and target in archive.names:
            blocks += _blocks(archive.xml(target))
    return "\n".join(filter(None, blocks))


def _relations(archive: Archive, name: str) -> list[tuple[str, str, str]]:
    """(id, type, target part) of everything that a part refers to inside the file."""
    folder, file = posixpath.split(name)
    listing = f"{folder}/_rels/{file}.rels"
    if listing not in archive.names:
        return []
    found = [item for item in archive.xml(listing) if item.get("TargetMode") != "External"]
    return [
        (item.get("Id", ""), item.get("Type", ""), posixpath.normpath(f"{folder}/{item.get('Target', '')}"))
        for item in found
    ]


def _blocks(element: Element) -> Iterator[str]:
    for child in element:
        name = local(child)
        if name == "tbl":
            yield markdown(
                [[_cell(cell) for cell in row if local(cell) == "tc"] for row in child if local(row) == "tr"]
            )
        elif name == "p":
            yield _paragraph(child)
        elif not (name == "sp" and _is_furniture(child)):
            yield from _blocks(child)


def _cell(cell: Element) -> str:
    return " ".join(_paragraph(item) for item in cell.iter() if local(item) == "p")


def _paragraph(element: Element) -> str:
    parts = ("\n" if local(item) == "br" else item.text or "" for item in element.iter() if local(item) in {"t", "br"})
    return "".join(parts).strip()


def _is_furniture(shape: Element) -> bool:
    return any(local(item) == "ph" and item.get("type") in _FURNITURE for item in shape.iter())
