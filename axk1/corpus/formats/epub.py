"""Books (.epub): the chapters in the order of the spine, without the table of contents."""

import posixpath
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from axk1.corpus.formats.archive import Archive, local, text_of
from axk1.corpus.formats.html import plain
from axk1.corpus.formats.limits import Limits
from axk1.corpus.streams import CorpusError

__all__ = ["read"]

_FACTS = {"title": "title", "author": "creator", "date": "date", "license": "rights"}


def read(path: Path, limits: Limits) -> tuple[str, Mapping[str, str]]:
    """The text, an empty line between chapters, and what the book says of itself. CorpusError, also under DRM."""
    with Archive(path, limits, ".epub") as archive:
        package = _package(archive)
        root = archive.xml(package)
        chapters = [plain(archive.read(name), f"{path}: {name}", limits) for name in _spine(root, package)]
        return "\n\n".join(filter(None, chapters)), {key: text_of(root, name) for key, name in _FACTS.items()}


def _package(archive: Archive) -> str:
    if "META-INF/rights.xml" in archive.names:
        raise CorpusError(f"{archive.path}: the book is encrypted (DRM)")
    for element in archive.xml("META-INF/container.xml").iter():
        if local(element) == "rootfile":
            return element.get("full-path", "")
    raise CorpusError(f"{archive.path}: no .epub file: its container names no package")


def _spine(root: Element, package: str) -> list[str]:
    """The parts to read; the navigation and what the book marks as outside its flow (linear="no") are left out."""
    items = {item.get("id"): item for item in root.iter() if local(item) == "item"}
    wanted = [item.get("idref") for item in root.iter() if local(item) == "itemref" and item.get("linear") != "no"]
    chapters = [items[name] for name in wanted if name in items]
    folder = posixpath.dirname(package)
    return [
        posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        for item in chapters
        if "nav" not in item.get("properties", "").split() and "html" in item.get("media-type", "")
    ]
