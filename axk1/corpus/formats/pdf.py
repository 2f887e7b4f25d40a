"""PDF files, by pypdfium2: columns in reading order, tables as Markdown, no headers, footers or page numbers."""

import ctypes
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from axk1.corpus.formats.limits import Deadline, Limits, need, read_whole
from axk1.corpus.formats.pdf_layout import Grid, Piece, Rule, cell_of, grids, gutter_of, regions, table_text
from axk1.corpus.formats.pdf_lines import paragraphs
from axk1.corpus.streams import CorpusError

__all__ = ["open_pdf", "read"]

_MARGIN = 0.12  # share of the page's height where headers and footers stand
_RUNNING_HEAD = 3  # pages; chapters of a book have heads of their own, and some are short
_PAGE_NUMBER = re.compile(
    r"[-–—\s<\[(]*(페이지|[Pp]age|[Pp]\.)?\s*\d{1,4}\s*(쪽|페이지)?(\s*(/|of)\s*\d{1,4}\s*(쪽|페이지)?)?[-–—\s>\])]*"
)
_MAX_SEGMENTS = 5000  # of drawn paths on a page; a page with more is a drawing
_MAX_RULES = 1000
_GAP_EM = 1.2  # a wider gap on a line ends a piece
_MAX_CHARACTERS = 200_000  # on a page


def read(path: Path, limits: Limits) -> tuple[str, Mapping[str, str]]:
    """The text and what the file says of itself. CorpusError, also for an encrypted file and one without text."""
    deadline = Deadline(limits, path)
    document, raw = open_pdf(path, limits)
    try:
        pages = list[tuple[list[Piece], float]]()
        for page in document:
            deadline.check()
            pages.append((_pieces(page, raw, path), page.get_height()))
            page.close()
        facts = document.get_metadata_dict(skip_empty=True)
    finally:
        document.close()
    text = "\n".join(paragraphs(_in_order(_without_furniture(pages))))
    if not text:
        raise CorpusError(f"{path}: no text in the PDF (scanned pages need a vision model: see `vision` of the source)")
    return text, {key: facts[name] for key, name in _FACTS.items() if name in facts}


def _in_order(pages: Sequence[Sequence[Piece]]) -> list[list[Piece]]:
    gutters = [gutter for page in pages if (gutter := gutter_of(page)) is not None]
    usual = statistics.median(gutters) if gutters else None
    return [region for page in pages for region in regions(page, usual)]


_FACTS = {"title": "Title", "author": "Author", "date": "CreationDate"}


def open_pdf(path: Path, limits: Limits) -> tuple[Any, Any]:
    """The document and pypdfium2's raw interface. CorpusError for a damaged, encrypted or over-long file."""
    library = need("pypdfium2", "pypdfium2", ".pdf")
    raw = need("pypdfium2.raw", "pypdfium2", ".pdf")
    data = read_whole(path, limits)
    try:
        document = library.PdfDocument(data)
        pages = len(document)
    except library.PdfiumError as error:
        raise CorpusError(f"{path}: damaged or encrypted PDF ({error})") from error
    if pages > limits.pages:
        document.close()
        raise CorpusError(f"{path}: a PDF of {pages} pages, more than {limits.pages} (limits.pages)")
    return document, raw


def _pieces(page: Any, raw: Any, path: Path) -> list[Piece]:
    tables = grids(_rules(page, raw))
    text_page = page.get_textpage()
    try:
        if text_page.count_chars() > _MAX_CHARACTERS:
            raise CorpusError(f"{path}: a page of more than {_MAX_CHARACTERS} characters")
        runs = list(_runs(_characters(text_page, raw), tables))
    finally:
        text_page.close()
    free = [piece for cell, piece in runs if cell is None]
    for number, grid in enumerate(tables):
        inside = [(cell[1], cell[2], piece) for cell, piece in runs if cell is not None and cell[0] == number]
        if any(piece.text.strip() for _, _, piece in inside):
            free.append(table_text(grid, inside))
    return [piece for piece in free if piece.text.strip()]


def _characters(text_page: Any, raw: Any) -> Iterator[Piece]:
    box = raw.FS_RECTF()
    for index in range(text_page.count_chars()):
        code = raw.FPDFText_GetUnicode(text_page, index)
        if code in {0, 0xFFFE, 0xFFFF} or code > 0x10FFFF:
            continue
        raw.FPDFText_GetLooseCharBox(text_page, index, ctypes.byref(box))
        yield Piece(_letter(code), box.left, box.bottom, box.right, box.top)


def _letter(code: int) -> str:
    if code == 2:  # how pdfium marks a hyphen at a line's end
        return "-"
    return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)


Cell = tuple[int, int, int] | None


def _runs(characters: Iterator[Piece], tables: Sequence[Grid]) -> Iterator[tuple[Cell, Piece]]:
    """Characters that follow each other on a line and in a cell, as one piece."""
    run, cell = list[Piece](), None
    for character in characters:
        if character.text in "\r\n":
            continue
        if character.text.isspace():
            if run and run[-1].text != " ":
                run.append(Piece(" ", run[-1].right, run[-1].bottom, run[-1].right, run[-1].top))
            continue
        here = cell_of((character.left + character.right) / 2, character.middle, tables)
        if run and (here != cell or not _goes_on(run[-1], character)):
            yield cell, _piece(run)
            run = []
        run.append(character)
        cell = here
    if run:
        yield cell, _piece(run)


def _goes_on(before: Piece, after: Piece) -> bool:
    height = min(before.height, after.height)
    on_line = abs(before.middle - after.middle) < 0.5 * height
    return on_line and -0.6 * height < after.left - before.right < _GAP_EM * height


def _piece(run: Sequence[Piece]) -> Piece:
    text = "".join(character.text for character in run)
    solid = [character for character in run if character.text != " "] or run
    heights = sorted(solid, key=lambda character: character.height)
    usual = heights[len(heights) // 2]
    return Piece(text, min(p.left for p in solid), usual.bottom, max(p.right for p in solid), usual.top)


def _rules(page: Any, raw: Any) -> list[Rule]:
    found, left = set[Rule](), _MAX_SEGMENTS
    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH], max_depth=1):
        left -= (count := raw.FPDFPath_CountSegments(item))
        if left < 0:
            return []
        found.update(_drawn(item, count, raw))
    return sorted(found, key=lambda rule: (rule.is_vertical, rule.at, rule.start)) if len(found) <= _MAX_RULES else []


def _drawn(item: Any, count: int, raw: Any) -> Iterator[Rule]:
    """The segments of a path that run along an axis and are longer than a dot."""
    matrix = item.get_matrix()
    x, y = ctypes.c_float(), ctypes.c_float()
    start = last = (0.0, 0.0)
    for index in range(count):
        segment = raw.FPDFPath_GetPathSegment(item, index)
        raw.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y))
        point = matrix.on_point(x.value, y.value)
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == raw.FPDF_SEGMENT_LINETO:
            yield from _rule(last, point)
        if raw.FPDFPathSegment_GetClose(segment):
            yield from _rule(point, start)
        last = point


def _rule(a: tuple[float, float], b: tuple[float, float]) -> Iterator[Rule]:
    wide, high = abs(a[0] - b[0]), abs(a[1] - b[1])
    if high < 1 and wide > 4:
        yield Rule(is_vertical=False, at=round(a[1], 1), start=min(a[0], b[0]), end=max(a[0], b[0]))
    elif wide < 1 and high > 4:
        yield Rule(is_vertical=True, at=round(a[0], 1), start=min(a[1], b[1]), end=max(a[1], b[1]))


def _without_furniture(pages: Sequence[tuple[list[Piece], float]]) -> list[list[Piece]]:
    """Leave out what stands in the margin of many pages at one height, but for its numbers, and page numbers."""
    seen = Counter(key for page, height in pages for key in {_key(p) for p in page if _in_margin(p, height)})
    often = min(max(2, 0.4 * len(pages)), _RUNNING_HEAD)
    kept = list[list[Piece]]()
    for page, height in pages:
        kept.append([p for p in page if not (_in_margin(p, height) and _is_furniture(p, seen[_key(p)] >= often))])
    return kept


def _key(piece: Piece) -> tuple[str, int]:
    return re.sub(r"\d+", "#", " ".join(piece.text.split())), round(piece.middle)


def _in_margin(piece: Piece, height: float) -> bool:
    return not piece.is_table and not _MARGIN * height < piece.middle < (1 - _MARGIN) * height


def _is_furniture(piece: Piece, is_often: bool) -> bool:
    return is_often or _PAGE_NUMBER.fullmatch(piece.text.strip()) is not None
