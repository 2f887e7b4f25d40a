"""Hancom's binary format (.hwp 5): an OLE file whose sections hold records; tables become Markdown.

Own reading of the records after Hancom's published description of the format (revision 1.3); olefile opens the shell.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axk1.corpus.formats.limits import Deadline, Limits, need, read_whole
from axk1.corpus.formats.table import markdown
from axk1.corpus.streams import CorpusError

__all__ = ["read"]

_SIGNATURE = b"HWP Document File"
_COMPRESSED, _ENCRYPTED, _DISTRIBUTED = 1, 2, 4
_PARA_HEADER, _PARA_TEXT, _CTRL_HEADER, _LIST_HEADER, _TABLE = 66, 67, 71, 72, 77
_MAX_LEVEL = 100
# A control character takes one code unit or eight (itself, twelve bytes of its own, itself again).
_SINGLE = {0: "", 10: "\n", 13: "", 24: "-", 25: "", 26: "", 27: "", 28: "", 29: "", 30: "\u00a0", 31: " "}
_SKIPPED = {b"head", b"foot", b"tcmt", b"secd", b"cold", b"pgnp", b"nwno", b"atno"}


@dataclass
class _Record:
    tag: int
    data: bytes
    below: "list[_Record]" = field(default_factory=list)

    @property
    def kind(self) -> bytes:
        """The four letters of a control, stored backwards."""
        return self.data[3::-1]


def read(path: Path, limits: Limits) -> tuple[str, Mapping[str, str]]:
    """The text and what the file says of itself. CorpusError, also for an encrypted file."""
    library = need("olefile", "olefile", ".hwp")
    data = read_whole(path, limits)
    if not library.isOleFile(data=data):
        raise CorpusError(f"{path}: no .hwp 5 file (it is no OLE file; versions before 5 and .hwpx files are others)")
    try:
        with library.OleFileIO(data) as ole:
            blocks = [block for section in _sections(ole, path, limits) for block in _blocks(section)]
            return "\n".join(blocks).strip(), _facts(ole)
    except (OSError, IndexError, KeyError, TypeError, RecursionError) as error:
        raise CorpusError(f"{path}: damaged .hwp file ({error})") from error


def _facts(ole: Any) -> dict[str, str]:
    if not ole.exists("\x05HwpSummaryInformation"):
        return {}
    # Hancom counts characters where OLE counts bytes, so a text property runs on: it ends at the first null.
    found = ole.getproperties("\x05HwpSummaryInformation")
    keys = {"title": 2, "author": 4, "date": 20}
    return {
        key: found[number].partition("\x00")[0] for key, number in keys.items() if isinstance(found.get(number), str)
    }


def _sections(ole: Any, path: Path, limits: Limits) -> Iterator[list[_Record]]:
    """The records of every section as a forest."""
    header = ole.openstream("FileHeader").read(256) if ole.exists("FileHeader") else b""
    if not header.startswith(_SIGNATURE) or len(header) < 40:
        raise CorpusError(f"{path}: no .hwp 5 file: its FileHeader does not say so")
    flags = int.from_bytes(header[36:40], "little")
    if flags & (_ENCRYPTED | _DISTRIBUTED):
        kind = "encrypted" if flags & _ENCRYPTED else "locked for distribution"
        raise CorpusError(f"{path}: the .hwp file is {kind}")
    left, deadline = limits.unpacked_bytes, Deadline(limits, path)
    number = 0
    while ole.exists(name := f"BodyText/Section{number}"):
        deadline.check()
        data = ole.openstream(name).read()
        if flags & _COMPRESSED:
            data = _inflated(data, left, f"{path}: {name}")
        left -= len(data)
        yield _forest(data, f"{path}: {name}")
        number += 1
    if not number:
        raise CorpusError(f"{path}: the .hwp file has no BodyText/Section0")


def _inflated(data: bytes, left: int, place: str) -> bytes:
    stream = zlib.decompressobj(-15)
    try:
        found = stream.decompress(data, max(left, 1))
    except zlib.error as error:
        raise CorpusError(f"{place}: damaged compression ({error})") from error
    if stream.unconsumed_tail:
        raise CorpusError(f"{place}: unpacks to more than the rest of limits.unpacked_bytes ({left})")
    if not stream.eof:
        raise CorpusError(f"{place}: truncated")
    return found


def _forest(data: bytes, place: str) -> list[_Record]:
    """Records by their levels. A header is 4 bytes: tag 10 bits, level 10, size 12 (4095: the size follows)."""
    roots = list[_Record]()
    stack = [roots]
    start = 0
    while start + 4 <= len(data):
        header = int.from_bytes(data[start : start + 4], "little")
        tag, level, size = header & 0x3FF, header >> 10 & 0x3FF, header >> 20
        start += 4
        if size == 0xFFF:
            size = int.from_bytes(data[start : start + 4], "little")
            start += 4
        if start + size > len(data):
            raise CorpusError(f"{place}: a record of {size} bytes runs over the end")
        if level > _MAX_LEVEL:
            raise CorpusError(f"{place}: records nested deeper than {_MAX_LEVEL}")
        record = _Record(tag, data[start : start + size])
        del stack[level + 1 :]
        stack[-1].append(record)
        stack.append(record.below)
        start += size
    return roots


def _blocks(records: list[_Record]) -> Iterator[str]:
    for record in records:
        if record.tag == _PARA_HEADER:
            yield "".join(_characters(item.data) for item in record.below if item.tag == _PARA_TEXT).strip(" \t")
            yield from _blocks([item for item in record.below if item.tag == _CTRL_HEADER])
        elif record.tag == _CTRL_HEADER and record.kind == b"tbl ":
            yield _table(record)
        elif record.tag == _CTRL_HEADER and record.kind not in _SKIPPED:
            yield from _blocks(record.below)
        elif record.tag not in {_PARA_TEXT, _CTRL_HEADER}:
            yield from _blocks(record.below)  # the shapes around a text box


def _table(control: _Record) -> str:
    """Cells are lists: a LIST_HEADER (8 bytes, then column and row), and the paragraphs that follow it."""
    cells = dict[tuple[int, int], list[_Record]]()
    current = list[_Record]()  # a caption's paragraphs stand before the TABLE record and fall under the table
    begun = False
    for record in control.below:
        begun = begun or record.tag == _TABLE
        if begun and record.tag == _LIST_HEADER and len(record.data) >= 12:
            column, row = (int.from_bytes(record.data[at : at + 2], "little") for at in (8, 10))
            current = cells.setdefault((row, column), [])
        elif record.tag == _PARA_HEADER:
            current.append(record)
    rows = dict[int, list[str]]()
    for (row, _), inside in sorted(cells.items()):
        rows.setdefault(row, []).append(" ".join(filter(None, _blocks(inside))))
    return markdown(list(rows.values()))


def _characters(data: bytes) -> str:
    units = memoryview(data[: len(data) & ~1]).cast("H")
    kept, at = list[bytes](), 0
    while at < len(units):
        unit = units[at]
        if unit >= 32:
            kept.append(unit.to_bytes(2, "little"))
        elif unit in _SINGLE:
            kept.append(_SINGLE[unit].encode("utf-16-le"))
        elif unit == 9:
            kept.append(b"\t\x00")
        at += 1 if unit >= 32 or unit in _SINGLE else 8
    return b"".join(kept).decode("utf-16-le", "replace")
