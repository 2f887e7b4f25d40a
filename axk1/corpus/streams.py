"""Bytes of a file, decompressed and cut into lines, in constant memory; every failure names the file and the place."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import zstandard

__all__ = ["CorpusError", "Line", "chunks_of", "decode", "json_object", "lines_of"]

MAX_LINE_BYTES = 1 << 28  # a longer line is no line of text, and would have to be held in memory
_CHUNK_BYTES = 1 << 18
_BOM = b"\xef\xbb\xbf"


class CorpusError(ValueError):
    """A text collection that cannot be read as asked; one line that names the file and the place in it."""


class Line(NamedTuple):
    """A line without its line end: its number from 1, the byte offset of its start in the decompressed file."""

    number: int
    offset: int
    data: bytes


def chunks_of(path: Path) -> Iterator[bytes]:
    """The bytes of a plain, .gz or .zst file. CorpusError for a truncated or damaged compressed file, OSError."""
    with open(path, "rb") as file:
        if path.suffix == ".zst":
            yield from _zstd(file, path)
        elif path.suffix == ".gz":
            yield from _gzip(file, path)
        else:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk


def lines_of(path: Path) -> Iterator[Line]:
    r"""The lines of a file, cut at "\n" only: texts hold U+2028, U+0085 and lone "\r" that are no line ends here.

    A byte order mark at the start is left out. CorpusError for a line over MAX_LINE_BYTES; see `chunks_of`.
    """
    number, offset, parts, held = 1, 0, list[bytes](), 0
    for chunk in chunks_of(path):
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            data = b"".join((*parts, end)) if parts else end
            yield _line(number, offset, data)
            number, offset = number + 1, offset + len(data) + 1
            parts, held = [], 0
        parts.append(rest)
        held += len(rest)
        if held > MAX_LINE_BYTES:
            raise CorpusError(f"{path}:{number}: the line is longer than {MAX_LINE_BYTES >> 20} MiB; is this text?")
    if held:
        yield _line(number, offset, b"".join(parts))


def decode(data: bytes, offset: int, path: Path) -> str:
    """`data`, which lies at byte `offset` of the file, as text. CorpusError with the place of the first wrong byte."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        where, byte = offset + error.start, data[error.start]
        raise CorpusError(
            f"{path}: not UTF-8 text: byte 0x{byte:02x} at offset {where}"
            f" (is it CP949? then: iconv -f cp949 -t utf-8 {path.name})"
        ) from error


def json_object(line: Line, path: Path) -> dict[str, Any]:
    """The JSON object on a line of the file. CorpusError with the place for anything else."""
    text = decode(line.data, line.offset, path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path}:{line.number}: broken JSON ({error})") from error
    if not isinstance(value, dict):
        raise CorpusError(f"{path}:{line.number}: wants a JSON object, found {type(value).__name__}")
    return value


def _line(number: int, offset: int, data: bytes) -> Line:
    return Line(number, offset + 3, data[3:]) if number == 1 and data.startswith(_BOM) else Line(number, offset, data)


def _zstd(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """Frame by frame: zstandard's own stream_reader takes a truncated file for a short one."""
    decompressor = zstandard.ZstdDecompressor()
    frame, begun = decompressor.decompressobj(), False
    while chunk := file.read(_CHUNK_BYTES):
        while chunk:
            try:
                data = frame.decompress(chunk)
            except zstandard.ZstdError as error:
                raise CorpusError(f"{path}: damaged zstd data before byte {file.tell()} ({error})") from error
            begun, chunk = not frame.eof, frame.unused_data if frame.eof else b""
            if frame.eof:
                frame = decompressor.decompressobj()
            if data:
                yield data
    if begun:
        raise CorpusError(f"{path}: the zstd file is truncated: it ends after {file.tell()} bytes inside a frame")


def _gzip(file: BinaryIO, path: Path) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file) as stream:
        try:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk
        except EOFError as error:
            raise CorpusError(f"{path}: the gzip file is truncated: it ends after {file.tell()} bytes") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise CorpusError(f"{path}: damaged gzip data before byte {file.tell()} ({error})") from error
