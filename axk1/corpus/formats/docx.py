"""Word files (.docx): the body in order, tables as Markdown, notes at the end."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

from axk1.corpus.formats.archive import Archive, local, text_of
from axk1.corpus.formats.limits import Limits
from axk1.corpus.formats.table import markdown

__all__ = ["core_facts", "read"]

_BREAKS = {"br": "\n", "cr": "\n", "tab": "\t", "noBreakHyphen": "-"}
# Deleted and moved-away text, the twin that old programs read of a drawing, and the codes behind fields.
_SKIPPED = {"del", "moveFrom", "Fallback", "instrText", "delText", "pPr", "rPr", "sectPr", "tblPr", "annotation"}
_NOTES = ("word/footnotes.xml", "word/endnotes.xml")


def read(path: Path, limits: Limits) -> tuple[str, Mapping[str, str]]:
    """The text and what the file says of itself. CorpusError."""
    with Archive(path, limits, ".docx") as archive:
        blocks = list(_blocks(archive.xml("word/document.xml")))
        for name in _NOTES:
            if name in archive.names:
                blocks += _blocks(archive.xml(name))
        return "\n".join(blocks).strip(), core_facts(archive)


def core_facts(archive: Archive) -> dict[str, str]:
    """Title, author and date of docProps/core.xml, which .docx and .pptx share."""
    if "docProps/core.xml" not in archive.names:
        return {}
    root = archive.xml("docProps/core.xml")
    return {key: text_of(root, name) for key, name in (("title", "title"), ("author", "creator"), ("date", "created"))}


def _blocks(element: Element) -> Iterator[str]:
    """Paragraphs and tables below `element`; text boxes come after the paragraph that they hang on."""
    for child in element:
        name = local(child)
        if name == "p":
            yield "".join(_inline(child)).strip(" \t")
            for box in _boxes(child):
                yield from _blocks(box)
        elif name == "tbl":
            yield markdown([[" ".join(_blocks(cell)) for cell in _cells(row)] for row in _named(child, "tr")])
        elif name not in _SKIPPED:
            yield from _blocks(child)


def _inline(element: Element) -> Iterator[str]:
    for child in element:
        name = local(child)
        if name == "t":
            yield child.text or ""
        elif name in _BREAKS:
            yield _BREAKS[name]
        elif name not in _SKIPPED and name != "txbxContent":
            yield from _inline(child)


def _boxes(element: Element) -> Iterator[Element]:
    for child in element:
        if local(child) == "txbxContent":
            yield child
        elif local(child) not in _SKIPPED:
            yield from _boxes(child)


def _named(element: Element, name: str) -> Iterator[Element]:
    """The nearest elements of this name: a table's own rows, not those of a table in a cell."""
    for child in element:
        if local(child) == name:
            yield child
        elif local(child) not in _SKIPPED and local(child) != "tbl":
            yield from _named(child, name)


def _cells(row: Element) -> Iterator[Element]:
    return _named(row, "tc")
