"""A multipart form with one file, written to disk as it comes: memory does not grow with the file."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from axk1.server.errors import ApiError, bad_request

__all__ = ["Form", "receive"]

_MOST_FIELDS = 16
_MOST_FIELD_BYTES = 1024
_BUFFER = 1 << 20  # bytes that are written at once


@dataclass
class Form:
    """What a form held. The file lies at the path that `receive` was given."""

    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None
    bytes: int = 0
    sha256: str = ""


async def receive(content_type: str, body: AsyncIterator[bytes], path: Path, most: int) -> Form:
    """Reads the form; its part `file` becomes `path`, on disk when this returns. On any error `path` is gone.

    ApiError: 400 for what is no such form, 413 for a file above `most` bytes (at once, not when all of it has come).
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise bad_request("send the file as multipart/form-data with a boundary", "file")
    file = await asyncio.to_thread(open, path, "xb", 0)
    try:
        return await _read(_Parts(options[b"boundary"], most), body, file)
    except BaseException:
        with suppress(FileNotFoundError):
            path.unlink()
        raise
    finally:
        file.close()


async def _read(parts: _Parts, body: AsyncIterator[bytes], file: BinaryIO) -> Form:
    digest = hashlib.sha256()
    try:
        async for chunk in body:
            parts.feed(chunk)
            if len(parts.pending) >= _BUFFER:
                await asyncio.to_thread(_write, file, digest, parts.taken())
        parts.finish()
    except FormParserError as error:
        raise bad_request("the multipart form is broken: send it whole, as form-data", "file") from error
    await asyncio.to_thread(_write, file, digest, parts.taken())
    await asyncio.to_thread(os.fsync, file.fileno())
    parts.form.sha256 = digest.hexdigest()
    return parts.form


def _write(file: BinaryIO, digest: hashlib._Hash, data: bytes) -> None:
    digest.update(data)
    rest = memoryview(data)
    while rest:  # an unbuffered write may take a part only
        rest = rest[file.write(rest) :]


class _Parts:
    """The parser's callbacks: fields are kept, the file's bytes wait in `pending`."""

    def __init__(self, boundary: bytes, most: int) -> None:
        self.form = Form()
        self.pending = bytearray()
        self._most = most
        self._header, self._value, self._disposition = b"", b"", b""
        self._name, self._field = "", bytearray()
        self._in_file = self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._all,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Raises FormParserError, ApiError."""
        self._parser.write(chunk)

    def taken(self) -> bytes:
        """What waits, which then waits no more."""
        data = bytes(self.pending)
        self.pending.clear()
        return data

    def finish(self) -> None:
        """400 for a form that ended early or had no file."""
        if not self._ended:
            raise FormParserError("the closing boundary is missing")
        if self.form.filename is None:
            raise bad_request("the form has no part named file with a filename", "file")

    def _begin(self) -> None:
        self._disposition = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._in_file = b"filename" in options
        self._field = bytearray()
        if self._in_file:
            if self._name != "file" or self.form.filename is not None:
                raise bad_request("send one file, in the part named file", self._name or None)
            self.form.filename = options[b"filename"].decode("utf-8", "replace")
        elif not self._name or len(self.form.fields) >= _MOST_FIELDS or self._name in self.form.fields:
            raise bad_request(f"each field needs a name, once, and there may be {_MOST_FIELDS}", self._name or None)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self._in_file:
            self._field += data[start:end]
            if len(self._field) > _MOST_FIELD_BYTES:
                raise bad_request(f"{self._name} is longer than {_MOST_FIELD_BYTES} bytes", self._name)
            return
        self.form.bytes += end - start
        if self.form.bytes > self._most:
            raise ApiError(413, f"the file is above the server's limit of {self._most} bytes", param="file")
        self.pending += data[start:end]

    def _end(self) -> None:
        if not self._in_file:
            self.form.fields[self._name] = self._field.decode("utf-8", "replace")

    def _all(self) -> None:
        self._ended = True
