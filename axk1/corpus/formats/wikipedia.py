"""Wikipedia dumps (.xml.bz2), streamed: articles only, wikitext → text by mwparserfromhell."""

import bz2
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast
from xml.etree.ElementTree import Element, ParseError

from axk1.corpus.formats.archive import local, text_of
from axk1.corpus.formats.limits import Limits, need
from axk1.corpus.streams import CorpusError

__all__ = ["records", "wikitext_to_text"]

Parse = Callable[[], tuple[str, Mapping[str, str]]]

_PAGE_BYTES = 64 << 20
_LICENSE = "CC BY-SA 4.0"
_UNWANTED_LINKS = re.compile(r"\s*:?(파일|그림|분류|틀|file|image|category|template|media|미디어)\s*:", re.IGNORECASE)
_UNWANTED_TAGS = {"ref", "references", "gallery", "math", "timeline", "syntaxhighlight", "source", "score", "imagemap"}
_END_SECTIONS = re.compile(
    r"^=+\s*(각주|주석|출처|참고 ?문헌|참고 ?자료|외부 ?링크|바깥 ?고리|같이 ?보기"
    r"|References|External links|See also)\s*=+\s*$"
)
_MARKUP = re.compile(r"__[A-Z가-힣]+__|\{\{|\}\}|\[\[|\]\]|'{2,}")
_EMPTY = re.compile(r"\(\s*[,;:、\s]*\)|（\s*）")  # what brackets hold once their template is gone


class _Metered:
    """A stream that ends in an error when a page is longer than any page is: XML may go on without end."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path, self.held = file, path, 0

    def read(self, size: int = 1 << 16) -> bytes:
        data = self._file.read(size)
        self.held += len(data)
        if self.held > _PAGE_BYTES:
            raise CorpusError(f"{self._path}: a page of more than {_PAGE_BYTES >> 20} MiB")
        return data


def records(path: Path, limits: Limits) -> Iterator[tuple[int, Parse]]:
    """(page id, function that reads it). CorpusError comes from the function, not from the loop."""
    need("mwparserfromhell", "mwparserfromhell", ".xml.bz2")
    safe = need("defusedxml.ElementTree", "defusedxml", ".xml.bz2")
    host, last = "", 0
    with bz2.open(path) as file:
        stream = _Metered(cast(BinaryIO, file), path)
        try:
            parents = list[Element]()
            for event, element in safe.iterparse(stream, events=("start", "end")):
                if event == "start":
                    parents.append(element)
                    if len(parents) > limits.depth:
                        raise CorpusError(f"{path}: elements nested deeper than {limits.depth} (limits.depth)")
                    continue
                parents.pop()
                if local(element) == "base":
                    host = (element.text or "").rpartition("/")[0]
                elif local(element) == "page":
                    last = int(text_of(element, "id") or last + 1)
                    if _is_article(element):
                        yield last, partial(_read, text_of(element, "text"), _facts(element, host), f"{path}:{last}")
                    parents[-1].clear()
                    stream.held = 0
        except (ParseError, OSError, EOFError, ValueError) as error:
            yield last + 1, partial(_fail, f"{path}: damaged dump after page {last} ({error or type(error).__name__})")


def _is_article(page: Element) -> bool:
    return text_of(page, "ns") == "0" and not any(local(child) == "redirect" for child in page)


def _facts(page: Element, host: str) -> dict[str, str]:
    title = text_of(page, "title")
    url = f"{host}/{title.replace(' ', '_')}" if host else ""
    return {"title": title, "url": url, "date": text_of(page, "timestamp"), "license": _LICENSE}


def _read(wikitext: str, facts: Mapping[str, str], place: str) -> tuple[str, Mapping[str, str]]:
    try:
        return wikitext_to_text(wikitext), facts
    except RecursionError as error:
        raise CorpusError(f"{place}: wikitext nested too deep") from error


def wikitext_to_text(wikitext: str) -> str:
    """The article without templates, references, tables, files and categories, up to its closing lists of links."""
    parser = need("mwparserfromhell", "mwparserfromhell", ".xml.bz2")
    code = parser.parse(wikitext, skip_style_tags=True)
    for node in code.ifilter(recursive=True, matches=lambda node: _is_unwanted(node, parser.nodes)):
        try:
            code.remove(node)
        except ValueError:
            continue  # went with the node that held it
    text = code.strip_code(normalize=True, collapse=False, keep_template_params=False)
    return _tidied("".join(_heads_kept(str(text), str(code))))


def _is_unwanted(node: Any, nodes: Any) -> bool:
    if isinstance(node, nodes.Wikilink):
        return _UNWANTED_LINKS.match(str(node.title)) is not None
    if isinstance(node, nodes.Tag):
        return str(node.tag).strip().lower() in _UNWANTED_TAGS or str(node.wiki_markup or "") == "{|"
    return isinstance(node, nodes.Template | nodes.Comment)


def _heads_kept(text: str, wikitext: str) -> Iterator[str]:
    """The lines up to the first closing section, whose headings are known from the wikitext."""
    ends = {line.strip("= \t") for line in wikitext.split("\n") if _END_SECTIONS.match(line.strip())}
    for line in text.split("\n"):
        if line.strip() in ends:
            return
        yield line + "\n"


def _tidied(text: str) -> str:
    text = _EMPTY.sub("", _MARKUP.sub("", text)).replace("\u00a0", " ")
    lines = [re.sub(r"[ \t]+", " ", line).strip(" *#:;\t") for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _fail(message: str) -> tuple[str, Mapping[str, str]]:
    raise CorpusError(message)
