"""OpenAI's /v1/batches."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from axk1.server.access import Caller
from axk1.server.batches.asking import Patience
from axk1.server.batches.book import Book
from axk1.server.batches.runner import Runner
from axk1.server.beside import beside
from axk1.server.errors import ApiError, bad_request
from axk1.server.files.routes import shelf_of
from axk1.server.files.shelf import Shelf
from axk1.server.parts import Parts
from axk1.server.store.batches import BatchRow

__all__ = ["Batch", "router"]

_WINDOW_SECONDS = 24 * 3600
Endpoint = Literal["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"]
_MetadataKey = Annotated[str, StringConstraints(max_length=64)]
_MetadataValue = Annotated[str, StringConstraints(max_length=512)]
_TIMES = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")


class OutputExpiry(BaseModel):
    """When the output files go, counted from when they are made."""

    model_config = ConfigDict(extra="forbid")
    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3600, le=30 * 24 * 3600)]


class CreateBatch(BaseModel):
    """What a client asks for."""

    model_config = ConfigDict(extra="forbid")
    input_file_id: str
    endpoint: Endpoint
    completion_window: Literal["24h"]
    metadata: Annotated[dict[_MetadataKey, _MetadataValue], Field(max_length=16)] | None = None
    output_expires_after: OutputExpiry | None = None


class BatchError(BaseModel):
    """Why an input file is no batch."""

    code: str
    message: str
    line: int | None
    param: str | None


class BatchErrors(BaseModel):
    """All that is wrong with an input file, up to a hundred."""

    object: Literal["list"] = "list"
    data: list[BatchError]


class RequestCounts(BaseModel):
    """How far a batch is."""

    total: int
    completed: int
    failed: int


class Batch(BaseModel):
    """A batch as OpenAI's clients know it. What is not so yet is left out."""

    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    model: str | None = None
    errors: BatchErrors | None = None
    input_file_id: str
    completion_window: Literal["24h"] = "24h"
    status: str
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: int
    in_progress_at: int | None = None
    expires_at: int
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    request_counts: RequestCounts
    usage: dict[str, Any] | None = None
    metadata: dict[str, str] | None = None


class BatchList(BaseModel):
    """A page of batches; without ids where it is empty."""

    object: Literal["list"] = "list"
    data: list[Batch]
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool


@dataclass(frozen=True)
class _Desk:
    parts: Parts
    shelf: Shelf
    book: Book
    runner: Runner


def router(parts: Parts, patience: Patience | None = None) -> APIRouter:
    """The routes; while the server runs, batches are worked on."""
    shelf, book = shelf_of(parts), Book(parts.database)
    desk = _Desk(parts, shelf, book, Runner(parts, shelf, book, patience or Patience()))

    def lifespan(app: FastAPI) -> AbstractAsyncContextManager[None]:
        return beside(desk.runner.run(app))

    routes = APIRouter(tags=["batches"], lifespan=lifespan)
    _add_routes(routes, desk)
    return routes


def _add_routes(routes: APIRouter, desk: _Desk) -> None:
    @routes.post("/v1/batches", response_model_exclude_none=True)
    async def create_batch(request: Request, wanted: CreateBatch) -> Batch:
        """Begins a batch. Its file is checked in the background; a wrong line makes it fail and is named."""
        caller = await desk.parts.member(request)
        return shown(await _created(desk, caller, wanted))

    @routes.get("/v1/batches", response_model_exclude_none=True)
    async def list_batches(
        request: Request, limit: Annotated[int, Query(ge=1, le=100)] = 20, after: str | None = None
    ) -> BatchList:
        """The project's batches, the newest first."""
        caller = await desk.parts.member(request)
        rows, more = await desk.book.page(caller.project, limit, after)
        first, last = (rows[0].id, rows[-1].id) if rows else (None, None)
        return BatchList(data=[shown(row) for row in rows], first_id=first, last_id=last, has_more=more)

    @routes.get("/v1/batches/{batch_id}", response_model_exclude_none=True)
    async def retrieve_batch(request: Request, batch_id: str) -> Batch:
        """How far a batch is."""
        caller = await desk.parts.member(request)
        return shown(await desk.book.find(caller.project, batch_id))

    @routes.post("/v1/batches/{batch_id}/cancel", response_model_exclude_none=True)
    async def cancel_batch(request: Request, batch_id: str) -> Batch:
        """Ends a batch early; what is answered already is kept in its output file."""
        caller = await desk.parts.member(request)
        row = await desk.book.find(caller.project, batch_id)
        changed = await desk.book.advance(row.id, ["validating", "in_progress"], "cancelling")
        desk.runner.wake()
        row = changed or await desk.book.find(caller.project, batch_id)
        if row.status not in ("cancelling", "cancelled"):
            raise ApiError(409, f"a batch that is {row.status} cannot be cancelled", param="batch_id")
        return shown(row)


async def _created(desk: _Desk, caller: Caller, wanted: CreateBatch) -> BatchRow:
    try:
        file = await desk.shelf.find(caller.project, wanted.input_file_id)
    except ApiError as error:
        raise ApiError(error.status, error.message, param="input_file_id") from error
    if file.purpose != "batch":
        raise bad_request(f"the file's purpose must be batch, not {file.purpose}", "input_file_id")
    now = int(time.time())
    row = BatchRow(
        id=f"batch_{secrets.token_hex(16)}",
        key_id=caller.key_id,
        organisation=caller.organisation,
        project=caller.project,
        role=caller.role,
        system=caller.system,
        endpoint=wanted.endpoint,
        input_file_id=file.id,
        output_seconds=None if wanted.output_expires_after is None else wanted.output_expires_after.seconds,
        labels=wanted.metadata,
        status="validating",
        created_at=now,
        expires_at=now + _WINDOW_SECONDS,
    )
    own_name = desk.runner.input_path(row.id)
    await asyncio.to_thread(own_name.parent.mkdir, parents=True, exist_ok=True)
    await asyncio.to_thread(os.link, desk.shelf.path(file.id), own_name)
    try:
        await desk.book.add(row)
    except BaseException:
        own_name.unlink()
        raise
    desk.runner.wake()
    return row


def shown(row: BatchRow) -> Batch:
    """A row as clients see it."""
    times = {f"{name}_at": getattr(row, f"{name}_at") for name in _TIMES}
    return Batch(
        id=row.id,
        endpoint=row.endpoint,
        model=row.model,
        errors=None if row.errors is None else BatchErrors(data=[BatchError(**one) for one in row.errors]),
        input_file_id=row.input_file_id,
        status=row.status,
        output_file_id=row.output_file_id,
        error_file_id=row.error_file_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        request_counts=RequestCounts(total=row.total, completed=row.completed, failed=row.failed),
        usage=row.usage,
        metadata=row.labels,
        **times,
    )
