"""OpenAI's /v1/files."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from axk1.server.beside import beside
from axk1.server.errors import ApiError, bad_request, not_found
from axk1.server.files.shelf import NewFile, Page, Shelf, Upload
from axk1.server.parts import Parts
from axk1.server.store.files import FileRow

__all__ = ["FileObject", "router", "shelf_of"]

_LOG = logging.getLogger(__name__)
Purpose = Literal["assistants", "batch", "evals", "fine-tune", "user_data", "vision"]
_PURPOSES = (*get_args(Purpose), "batch_output")
_FIELDS = ("purpose", "expires_after[anchor]", "expires_after[seconds]")
_EXPIRES_SECONDS = (3600, 30 * 24 * 3600)
_OVERHEAD = 16 << 10  # bytes of a form that are not its file's
_SWEEP_SECONDS = 3600.0
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string", "enum": list(get_args(Purpose))},
                        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
                        "expires_after[seconds]": {
                            "type": "integer",
                            "minimum": _EXPIRES_SECONDS[0],
                            "maximum": _EXPIRES_SECONDS[1],
                        },
                    },
                }
            }
        },
    }
}


class FileObject(BaseModel):
    """A file as OpenAI's clients know it."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    filename: str
    purpose: str
    status: Literal["processed"] = "processed"
    expires_at: int | None = None


class FileList(BaseModel):
    """A page of files; the ids are empty where the page is."""

    object: Literal["list"] = "list"
    data: list[FileObject]
    first_id: str
    last_id: str
    has_more: bool


class FileDeleted(BaseModel):
    """A file is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


def shelf_of(parts: Parts) -> Shelf:
    """The shelf in the server's folder."""
    return Shelf(parts.database, parts.settings.folder / "files", parts.settings.limits.project_file_bytes)


def router(parts: Parts) -> APIRouter:
    """The routes; while the server runs, expired files are removed once an hour."""
    shelf = shelf_of(parts)

    def lifespan(_app: FastAPI) -> AbstractAsyncContextManager[None]:
        return beside(_sweep_on(shelf))

    routes = APIRouter(tags=["files"], lifespan=lifespan)
    _add_upload(routes, parts, shelf)
    _add_others(routes, parts, shelf)
    return routes


def _add_upload(routes: APIRouter, parts: Parts, shelf: Shelf) -> None:
    most = parts.settings.limits.upload_bytes

    @routes.post("/v1/files", openapi_extra=_FORM, response_model_exclude_none=True)
    async def upload_file(request: Request) -> FileObject:
        """Keeps a file. It is written to disk as it comes, and listed when it is whole."""
        caller = await parts.member(request)
        async with shelf.arriving(caller.project, _expected(request, most)):
            upload = await shelf.upload(request.headers.get("content-type", ""), request.stream(), most)
            try:
                new = _new_file(caller.project, upload)
            except ApiError:
                upload.drop()
                raise
            return shown(await shelf.keep(upload, new))


def _add_others(routes: APIRouter, parts: Parts, shelf: Shelf) -> None:
    @routes.get("/v1/files", response_model_exclude_none=True)
    async def list_files(
        request: Request,
        purpose: str | None = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
        after: str | None = None,
        order: Literal["asc", "desc"] = "desc",
    ) -> FileList:
        """The project's files, the newest first."""
        caller = await parts.member(request)
        if purpose is not None and purpose not in _PURPOSES:
            raise bad_request(f"purpose must be one of {', '.join(_PURPOSES)}, not {purpose!r}", "purpose")
        rows, more = await shelf.page(caller.project, Page(limit, after, order == "asc"), purpose)
        ends = (rows[0].id, rows[-1].id) if rows else ("", "")
        return FileList(data=[shown(row) for row in rows], first_id=ends[0], last_id=ends[1], has_more=more)

    @routes.get("/v1/files/{file_id}", response_model_exclude_none=True)
    async def retrieve_file(request: Request, file_id: str) -> FileObject:
        """What is known of a file."""
        caller = await parts.member(request)
        return shown(await shelf.find(caller.project, file_id))

    @routes.get("/v1/files/{file_id}/content", response_class=FileResponse)
    async def download_file(request: Request, file_id: str) -> FileResponse:
        """The bytes as they were uploaded. A browser saves them and never shows them."""
        caller = await parts.member(request)
        row = await shelf.find(caller.project, file_id)
        path = shelf.path(row.id)
        if not path.is_file():
            raise not_found(f"the file {file_id!r} was just deleted", "file_id")
        safe = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
        return FileResponse(path, headers=safe, media_type="application/octet-stream", filename=row.filename)

    @routes.delete("/v1/files/{file_id}")
    async def delete_file(request: Request, file_id: str) -> FileDeleted:
        """Removes a file at once. A batch that reads it goes on."""
        caller = await parts.member(request)
        await shelf.remove(caller.project, file_id)
        return FileDeleted(id=file_id)


def shown(row: FileRow) -> FileObject:
    """A row as clients see it."""
    return FileObject(
        id=row.id,
        bytes=row.bytes,
        created_at=row.created_at,
        filename=row.filename,
        purpose=row.purpose,
        expires_at=row.expires_at,
    )


def _expected(request: Request, most: int) -> int:
    """Bytes that a request announces; one that announces none may bring the most. 413 for more than that."""
    announced = request.headers.get("content-length", "")
    if not announced.isascii() or not announced.isdigit():
        return most
    if int(announced) > most + _OVERHEAD:
        raise ApiError(413, f"{announced} bytes are above the server's limit of {most} for a file", param="file")
    return min(int(announced), most)


def _new_file(project: str, upload: Upload) -> NewFile:
    upload.need(*_FIELDS)
    purpose = upload.fields.get("purpose", "")
    if purpose not in get_args(Purpose):
        raise bad_request(f"purpose must be one of {', '.join(get_args(Purpose))}, not {purpose!r}", "purpose")
    return NewFile(project, upload.filename, purpose, _expires_after(upload.fields))


def _expires_after(fields: dict[str, str]) -> int | None:
    anchor, seconds = fields.get("expires_after[anchor]"), fields.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    least, most = _EXPIRES_SECONDS
    known = seconds is not None and seconds.isascii() and seconds.isdigit() and len(seconds) < 10
    if anchor != "created_at" or seconds is None or not known or not least <= int(seconds) <= most:
        raise bad_request(f"expires_after needs anchor created_at and seconds from {least} to {most}", "expires_after")
    return int(seconds)


async def _sweep_on(shelf: Shelf) -> None:
    while True:
        try:
            await shelf.sweep()
        except SQLAlchemyError as error:  # the database is away: the next hour will do
            _LOG.warning("expired files were not removed: %s", type(error).__name__)
        await asyncio.sleep(_SWEEP_SECONDS)
