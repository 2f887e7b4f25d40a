"""Crawls (.warc, .warc.gz): the main text of every HTML response, streamed record by record, by fastwarc."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from axk1.corpus.formats.html import main_text
from axk1.corpus.formats.limits import Limits, need
from axk1.corpus.streams import CorpusError

__all__ = ["records"]

Parse = Callable[[], tuple[str, Mapping[str, str]]]


def records(path: Path, limits: Limits) -> Iterator[tuple[int, Parse]]:
    """(number of the response, function that reads it). CorpusError comes from the function, not from the loop."""
    library = need("fastwarc.warc", "fastwarc", ".warc")
    number = 0
    with open(path, "rb") as file:
        found = iter(library.ArchiveIterator(file, record_types=library.WarcRecordType.response, auto_decode="all"))
        while True:
            number += 1
            try:
                record = next(found, None)
                page = None if record is None else _page(record, limits)
            except Exception as error:  # noqa: BLE001 (whatever broken compression makes the parser raise)
                yield number, partial(_fail, f"{path}:{number}: damaged WARC record ({error})")
                return
            if record is None:
                break
            if page is not None:
                yield number, partial(_read, *page, f"{path}:{number}", limits)
    if number == 1 and not _begins_well(path):
        yield 1, partial(_fail, f"{path}: no .warc file: it does not begin with a WARC record")


def _begins_well(path: Path) -> bool:
    with open(path, "rb") as file:
        start = file.read(5)
    return start == b"WARC/" or start[:2] == b"\x1f\x8b"


def _page(record: Any, limits: Limits) -> tuple[bytes, str, dict[str, str]] | None:
    """The bytes, charset and facts of a successful HTML response, else None; the body is read only then."""
    headers = record.http_headers
    if headers is None or headers.status_code != 200 or "html" not in (record.http_content_type or ""):
        return None
    facts = {"url": record.headers.get("WARC-Target-URI", ""), "date": record.headers.get("WARC-Date", "")}
    length = min(record.content_length, limits.html_bytes + 1)
    page = record.reader.read(limits.html_bytes + 1)
    encoded = headers.get("Content-Encoding") or headers.get("Transfer-Encoding")
    if len(page) < length and not encoded:  # the parser takes the end of the file for the end of the record
        raise EOFError(f"{len(page)} of {length} bytes")
    return page, record.http_charset or "", facts


def _read(
    data: bytes, charset: str, facts: Mapping[str, str], place: str, limits: Limits
) -> tuple[str, Mapping[str, str]]:
    text, found = main_text(data, charset, place, limits)
    return text, {**facts, **{key: value for key, value in found.items() if value and key != "url"}}


def _fail(message: str) -> tuple[str, Mapping[str, str]]:
    raise CorpusError(message)
