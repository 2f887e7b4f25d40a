"""Where files lie: contents in the server's folder under ids of our own, everything else in the database."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from axk1.server.errors import ApiError, bad_request, not_found
from axk1.server.files.names import clean_name
from axk1.server.files.upload import receive
from axk1.server.store.files import FileRow, StoredBytes, grow

__all__ = ["NewFile", "Page", "Shelf"]

_ID = re.compile("file-[0-9a-f]{32}")
_ABANDONED = 24 * 3600  # seconds after which a content without a row is no upload under way


@dataclass(frozen=True)
class NewFile:
    """What is known of a file before its content."""

    project: str
    filename: str
    purpose: str
    expires_after: int | None = None  # seconds


@dataclass(frozen=True)
class Page:
    """Which part of a list: `limit` rows after the one with the id `after`, the newest first unless `ascending`."""

    limit: int
    after: str | None = None
    ascending: bool = False


class Shelf:
    """All files of a server. A content is written before its row and removed after it, so a row's content is there."""

    def __init__(self, database: AsyncEngine, folder: Path, most_bytes: int) -> None:
        """`most_bytes`: what the files of one project may hold together."""
        self._database, self._folder, self._most = database, folder, most_bytes
        self._arriving: dict[str, int] = {}  # project -> bytes announced by uploads under way

    def path(self, file_id: str) -> Path:
        """Where the content of a file lies. `file_id` is one of ours, from a row: no word of a client is in it."""
        assert _ID.fullmatch(file_id), file_id
        return self._folder / file_id[5:7] / file_id

    @asynccontextmanager
    async def arriving(self, project: str, expected: int) -> AsyncIterator[None]:
        """Holds `expected` bytes of the quota while they come. ApiError (413) where they cannot fit."""
        expected = min(expected, self._most)
        held = await self._held(project) + self._arriving.get(project, 0)
        if held + expected > self._most:
            raise self._full(held, expected)
        self._arriving[project] = self._arriving.get(project, 0) + expected
        try:
            yield
        finally:
            self._arriving[project] -= expected
            if not self._arriving[project]:
                del self._arriving[project]

    async def upload(self, content_type: str, body: AsyncIterator[bytes], most: int) -> Upload:
        """Reads a form to disk; the file is not on the shelf before `keep`, and gone unless it is kept."""
        file_id = f"file-{secrets.token_hex(16)}"
        place = self.path(file_id)
        await asyncio.to_thread(place.parent.mkdir, parents=True, exist_ok=True)
        partial = place.with_name(f".{file_id}.partial")
        form = await receive(content_type, body, partial, most)
        return Upload(file_id, partial, form.fields, form.filename or "", form.bytes, form.sha256)

    async def keep(self, upload: Upload, new: NewFile) -> FileRow:
        """413 where the project's quota has no room."""
        try:
            await asyncio.to_thread(_rename_whole, upload.partial, self.path(upload.id))
            return await self._insert(_row(upload.id, new, upload.bytes, upload.sha256), self._most)
        except BaseException:
            upload.drop()
            self.path(upload.id).unlink(missing_ok=True)
            raise

    async def adopt(self, file_id: str, source: Path, new: NewFile) -> FileRow:
        """Takes over a file that the server itself has written; beyond the quota too, since the work is done.

        With the id of a file that is there already nothing is done: a step that was cut off may be done again.
        """
        async with AsyncSession(self._database) as session:
            known = await session.scalar(select(FileRow).where(FileRow.id == file_id))
        if known is not None:
            return known
        place = self.path(file_id)
        await asyncio.to_thread(place.parent.mkdir, parents=True, exist_ok=True)
        digest, size = await asyncio.to_thread(_digest, source)
        await asyncio.to_thread(_rename_whole, source, place)
        return await self._insert(_row(file_id, new, size, digest), None)

    async def find(self, project: str, file_id: str) -> FileRow:
        """404 for one that is not there, has expired or is another project's."""
        missing = not_found(f"no file has the id {file_id!r}", "file_id")
        if not _ID.fullmatch(file_id):  # PostgreSQL would refuse some texts
            raise missing
        wanted = select(FileRow).where(FileRow.id == file_id, FileRow.project == project, _alive())
        async with AsyncSession(self._database) as session:
            row = await session.scalar(wanted)
        if row is None:
            raise missing
        return row

    async def page(self, project: str, page: Page, purpose: str | None) -> tuple[Sequence[FileRow], bool]:
        """Files in order, and whether more follow."""
        wanted = select(FileRow).where(FileRow.project == project, _alive())
        if purpose is not None:
            wanted = wanted.where(FileRow.purpose == purpose)
        if page.after is not None:
            last = (await self.find(project, page.after)).number
            wanted = wanted.where(FileRow.number > last if page.ascending else FileRow.number < last)
        wanted = wanted.order_by(FileRow.number.asc() if page.ascending else FileRow.number.desc())
        async with AsyncSession(self._database) as session:
            rows = (await session.scalars(wanted.limit(page.limit + 1))).all()
        return rows[: page.limit], len(rows) > page.limit

    async def remove(self, project: str, file_id: str) -> None:
        """404 as `find`."""
        await self._drop(await self.find(project, file_id))

    async def sweep(self) -> None:
        """Removes files that have expired, and contents that a crash left without a row."""
        async with AsyncSession(self._database) as session:
            expired = (await session.scalars(select(FileRow).where(~_alive()))).all()
        for row in expired:
            await self._drop(row)
        before = time.time() - _ABANDONED
        old = await asyncio.to_thread(lambda: [one for one in self._folder.glob("*/*") if _older(one, before)])
        async with AsyncSession(self._database) as session:
            for path in old:
                if await session.scalar(select(FileRow.number).where(FileRow.id == path.name)) is None:
                    path.unlink(missing_ok=True)

    async def _insert(self, row: FileRow, most: int | None) -> FileRow:
        async with AsyncSession(self._database, expire_on_commit=False) as session, session.begin():
            if not await grow(session, f"project:{row.project}", row.bytes, most):
                raise self._full(await self._held(row.project), row.bytes)
            session.add(row)
        return row

    async def _drop(self, row: FileRow) -> None:
        async with AsyncSession(self._database) as session, session.begin():
            gone = await session.scalar(delete(FileRow).where(FileRow.number == row.number).returning(FileRow.bytes))
            if gone is not None:  # nobody else was faster
                await grow(session, f"project:{row.project}", -gone, None)
        self.path(row.id).unlink(missing_ok=True)

    async def _held(self, project: str) -> int:
        owner = StoredBytes.owner == f"project:{project}"
        async with AsyncSession(self._database) as session:
            return await session.scalar(select(func.coalesce(func.sum(StoredBytes.bytes), 0)).where(owner)) or 0

    def _full(self, held: int, more: int) -> ApiError:
        message = f"the project's files hold {held} of {self._most} bytes: no room for {more} more; delete some"
        return ApiError(413, message, param="file", code="storage_quota_exceeded")


@dataclass(frozen=True)
class Upload:
    """A form whose file lies on disk, not yet on the shelf."""

    id: str
    partial: Path
    fields: dict[str, str]
    filename: str
    bytes: int
    sha256: str

    def drop(self) -> None:
        """Removes what was uploaded."""
        self.partial.unlink(missing_ok=True)

    def need(self, *known: str) -> None:
        """400 for a field that is none of `known`."""
        for name in self.fields:
            if name not in known:
                raise bad_request(f"unknown field {name!r}; known: file, {', '.join(known)}", name)


def _row(file_id: str, new: NewFile, size: int, digest: str) -> FileRow:
    now = int(time.time())
    return FileRow(
        id=file_id,
        project=new.project,
        filename=clean_name(new.filename),
        purpose=new.purpose,
        bytes=size,
        sha256=digest,
        created_at=now,
        expires_at=None if new.expires_after is None else now + new.expires_after,
    )


def _alive() -> ColumnElement[bool]:
    return or_(FileRow.expires_at.is_(None), FileRow.expires_at > int(time.time()))


def _rename_whole(source: Path, place: Path) -> None:
    os.replace(source, place)
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size


def _older(path: Path, before: float) -> bool:
    return path.stat().st_mtime < before
