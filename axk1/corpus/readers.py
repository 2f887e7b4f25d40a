"""Files and datasets → documents, streamed: text, JSON lines, Parquet, Hugging Face datasets and document formats.

A reader yields the place of a record (line or row) and a function that parses it, so that one loop decides what becomes
of a bad record: an error that names file and line, or a line in the rejects.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from axk1.corpus.documents import Document, Fact, Reject
from axk1.corpus.formats import opening
from axk1.corpus.hub import hub_rows
from axk1.corpus.source import HUB, Source, files_of, format_of
from axk1.corpus.streams import CorpusError, decode, json_object, lines_of

__all__ = ["count_records", "read", "read_file"]

Row = Mapping[str, Any]
Records = Iterator[tuple[int, Callable[[], Row]]]

_TEXT_BYTES = 1 << 20  # a .txt file over this is cut at the next line end into several documents
_BATCH_ROWS = 32  # few, for rows may be whole books
_BUFFER_BYTES = 1 << 20


def read(source: Source, reject: Reject) -> Iterator[Document]:
    """Every document of the source, in the order of its files. Raises CorpusError, OSError.

    Records that cannot be read go to `reject` when the source says bad_records = "skip", else they raise.
    """
    if source.is_hub:
        rows = ((number, partial(_same, row)) for number, row in enumerate(hub_rows(source), start=1))
        yield from _documents(rows, source, source.path, source.path.removeprefix(HUB), reject)
        return
    files = files_of(source.path)
    for file in files.known:
        yield from read_file(file, files.root, source, reject)


def read_file(
    file: Path, root: Path, source: Source, reject: Reject, first: int = 0, end: int | None = None
) -> Iterator[Document]:
    """The documents of one file of the source, or of its records `first` (from 0) to before `end`; errors as `read`.

    The records before `first` are stepped over without being parsed.
    """
    records = itertools.islice(_records(file, source), first, end)
    yield from _documents(records, source, str(file), file.relative_to(root).as_posix(), reject)


def count_records(file: Path, source: Source) -> int:
    """How many records `read_file` would go through; nothing is parsed."""
    return sum(1 for _ in _records(file, source))


def _records(file: Path, source: Source) -> Records:
    format_ = format_of(file)
    if format_ == "text":
        return _text_records(file, source)
    if format_ == "jsonl":
        return _jsonl_records(file)
    if format_ == "parquet":
        return _parquet_records(file, source)
    return opening.records(file, str(format_), source.limits, source.vision)


def _documents(records: Records, source: Source, path: str, name: str, reject: Reject) -> Iterator[Document]:
    format_ = None if source.is_hub else format_of(Path(path))
    for place, parse in records:
        try:
            row = parse()
            if any(str(row.get(key)) != wanted for key, wanted in source.only.items()):
                continue
            text = _text(row, source, f"{path}:{place}")
        except CorpusError as error:
            if source.bad_records == "stop":
                raise
            reject(Document(str(error), f"{name}:{place}", source.label), "unreadable record")
            continue
        facts = {key: row[key] for key in opening.FACTS if key in row} if format_ in opening.MODULES else {}
        yield Document(text, f"{name}:{place}", source.label, {**facts, **_facts(row, source)})


def _facts(row: Row, source: Source) -> dict[str, Fact]:
    """What the source wants carried along; a record that lacks it, or holds a list there, is not the worse for it."""
    found = {key: row.get(field) for key, field in source.metadata.items()}
    return {key: value for key, value in found.items() if isinstance(value, str | int | float | bool)}


def _text(row: Row, source: Source, place: str) -> str:
    return source.joined_by.join(_field(row, name, place) for name in source.fields)


def _field(row: Row, name: str, place: str) -> str:
    text = row[name] if name in row else _inside(row, name, place)
    if not isinstance(text, str):
        raise CorpusError(f"{place}: field {name!r} is no text but {type(text).__name__}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:  # JSON may escape half a surrogate pair
        raise CorpusError(f"{place}: field {name!r} holds half a surrogate pair at character {error.start}") from error
    return text


def _inside(row: Row, name: str, place: str) -> Any:
    """What stands inside a field: "answers.0.text" is a key, a place in a list (from 0), and a key."""
    found: Any = row
    for key in name.split("."):
        if isinstance(found, Mapping) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            raise CorpusError(f"{place}: no field {name!r} (the record has: {', '.join(sorted(row)) or 'none'})")
    return found


def _same(row: Row) -> Row:
    return row


def _jsonl_records(path: Path) -> Records:
    for line in lines_of(path):
        if line.data and not line.data.isspace():
            yield line.number, partial(json_object, line, path)


def _text_records(path: Path, source: Source) -> Records:
    """A .txt document answers to any one field name: it has nothing but its text."""
    parts, start, held = list[str](), 1, 0
    for line in lines_of(path):
        text = decode(line.data, line.offset, path)
        parts.append(text)
        held += len(line.data) + 1
        ends = source.text_unit == "line" or (source.text_unit == "paragraph" and not text.strip())
        if ends or held >= _TEXT_BYTES:
            if any(map(str.strip, parts)):
                yield start, partial(_text_row, parts, source)
            parts, start, held = [], line.number + 1, 0
    if any(map(str.strip, parts)):
        yield start, partial(_text_row, parts, source)


def _text_row(parts: list[str], source: Source) -> Row:
    if len(source.fields) > 1 or source.only:
        raise CorpusError(f"{source.path}: a .txt file has no fields to choose or to join")
    return {source.fields[0]: "\n".join(parts).strip("\r\n")}


def _column(name: str, known: list[str]) -> str:
    return name if name in known else name.partition(".")[0]


def _parquet_records(path: Path, source: Source) -> Records:
    """In batches of rows from buffered pages: neither a row group nor a column is in memory as a whole."""
    try:
        with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            needed = [_column(name, file.schema_arrow.names) for name in (*source.fields, *source.only)]
            if missing := [name for name in needed if name not in file.schema_arrow.names]:
                raise CorpusError(f"{path}: no column {missing[0]!r} (known: {', '.join(file.schema_arrow.names)})")
            number, columns = 1, {*needed, *source.metadata.values()} & set(file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=sorted(columns)):
                for row in batch.to_pylist():
                    yield number, partial(_same, row)
                    number += 1
    except (pa.ArrowException, OSError) as error:
        what = str(error).partition("\n")[0]
        raise CorpusError(f"{path}: truncated or damaged parquet file ({what})") from error
