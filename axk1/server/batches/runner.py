"""Works through batches in the background. Whatever ends the process, the next one goes on where the file ends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict
from functools import partial as given
from pathlib import Path
from typing import Any, Literal, cast

from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp

from axk1.runs import alone_in
from axk1.server.access import Caller, Role
from axk1.server.batches import ending, lines
from axk1.server.batches.asking import Asker, Lane, Patience, unanswered
from axk1.server.batches.book import Book
from axk1.server.batches.partial import Partial, Result
from axk1.server.files.shelf import NewFile, Shelf
from axk1.server.parts import Parts
from axk1.server.store.batches import BatchRow

__all__ = ["Runner"]

_LOG = logging.getLogger(__name__)
_IDLE_SECONDS = 5.0  # until the database is asked whether another process has made a batch
_ABANDONED_SECONDS = 60.0
_WATCH_SECONDS = 0.5  # until counts are noted, and a cancellation is seen
_MOST_BATCHES = 16  # worked on at once
_End = Literal["completed", "cancelled", "expired"]
_GIVEN_UP = {
    "cancelled": ("batch_cancelled", "This request was not answered before the batch was cancelled."),
    "expired": ("batch_expired", "This request could not be answered before the completion window ended."),
    "completed": ("batch_incomplete", "This request was not answered."),
}


class Runner:
    """One for each server; of several processes with one folder, one works and the others wait for it to end."""

    def __init__(self, parts: Parts, shelf: Shelf, book: Book, patience: Patience) -> None:
        self._folder = parts.settings.folder / "batches"
        self._limits = parts.settings.limits
        self._models = tuple(parts.gateway.providers)
        self._lane = Lane(parts.gateway, self._limits.batch_at_once)
        self._shelf, self._book, self._patience = shelf, book, patience
        self._working: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There is something to do."""
        self._news.set()

    def input_path(self, batch_id: str) -> Path:
        """Where a batch's own name for its input file is, which stays when the file is deleted."""
        return self._folder / f"{batch_id}.input.jsonl"

    async def run(self, app: ASGIApp) -> None:
        """Until cancelled. `app` answers the requests."""
        while True:
            with ExitStack() as stack:
                try:
                    stack.enter_context(alone_in(self._folder))
                except ValueError:  # another process is at work here
                    await asyncio.sleep(_IDLE_SECONDS)
                    continue
                await self._run_alone(app)

    async def _run_alone(self, app: ASGIApp) -> None:
        try:
            while True:
                self._news.clear()
                try:
                    await self._begin_new(app)
                except SQLAlchemyError as error:  # the database is away
                    _LOG.warning("batches wait for the database: %s", type(error).__name__)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), _IDLE_SECONDS)
        finally:
            running = list(self._working.values())
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _begin_new(self, app: ASGIApp) -> None:
        rows = await self._book.unfinished()
        self._clear(keep={row.id for row in rows})
        for row in rows:
            if row.id not in self._working and len(self._working) < _MOST_BATCHES:
                task = asyncio.create_task(self._work(app, row))
                self._working[row.id] = task
                task.add_done_callback(given(self._ended, row.id))

    def _ended(self, batch_id: str, task: asyncio.Task[None]) -> None:
        del self._working[batch_id]
        if task.cancelled():
            return
        if error := task.exception():  # tried again when the runner next looks
            _LOG.error("batch %s was interrupted and will go on", batch_id, exc_info=error)
        else:
            self.wake()

    def _clear(self, keep: set[str]) -> None:
        """Removes what a crash left of batches that are finished or were never begun; not what is being begun."""
        before = time.time() - _ABANDONED_SECONDS
        for path in self._folder.glob("batch_*"):  # ctime: the input is a link, as old in mtime as the upload
            if path.name.split(".")[0] not in keep and path.stat().st_ctime < before:
                path.unlink(missing_ok=True)

    async def _work(self, app: ASGIApp, row: BatchRow) -> None:
        if row.status == "validating":
            row = await self._validate(row)
            if row.status != "in_progress":
                self._forget(row.id)
                return
        partial = await asyncio.to_thread(Partial.open, self._folder / f"{row.id}.partial.jsonl")
        try:
            end: _End = "cancelled" if row.status == "cancelling" else "completed"
            if row.status == "in_progress":
                end = await self._answer(app, row, partial)
            await self._finish(row, partial, end)
        finally:
            await asyncio.to_thread(partial.close)

    async def _validate(self, row: BatchRow) -> BatchRow:
        """In progress; failed, for a file with errors; or cancelled, if a cancellation came first."""
        rules = lines.Rules(row.endpoint, self._models, self._limits.body_bytes)
        checked = await asyncio.to_thread(lines.check, self.input_path(row.id), rules)
        status: str = "in_progress"
        values: dict[str, Any] = {"total": checked.total, "model": checked.model}
        if checked.errors:
            status, values = "failed", {"errors": [asdict(one) for one in checked.errors]}
        moved = await self._book.advance(row.id, ["validating"], status, **values)
        if moved is None:
            moved = await self._book.advance(row.id, ["cancelling"], "cancelled")
            assert moved is not None, row.id
        return moved

    async def _answer(self, app: ASGIApp, row: BatchRow, partial: Partial) -> _End:
        caller = Caller(row.key_id, row.organisation, row.project, cast(Role, row.role), row.system)
        asker = Asker(app, caller, row.endpoint, self._lane, self._patience)
        answering = asyncio.create_task(self._answer_all(row, asker, partial))
        try:
            while True:
                done, _ = await asyncio.wait({answering}, timeout=_WATCH_SECONDS)
                status = await self._noted(row, partial)
                if done:
                    answering.result()
                    return "completed"
                if status == "cancelling":
                    return "cancelled"
                if time.time() >= row.expires_at:
                    return "expired"
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
            await asker.aclose()

    async def _noted(self, row: BatchRow, partial: Partial) -> str:
        """The status; a database that is away stops no request, since results are kept in the file."""
        try:
            return await self._book.count(row.id, partial.completed, partial.failed)
        except SQLAlchemyError as error:
            _LOG.warning("batch %s goes on without the database: %s", row.id, type(error).__name__)
            return row.status

    async def _answer_all(self, row: BatchRow, asker: Asker, partial: Partial) -> None:
        room = asyncio.Semaphore(self._limits.batch_at_once)
        async with asyncio.TaskGroup() as group:
            for line in self._left(row, partial):
                await room.acquire()
                task = group.create_task(_answer_line(line, asker, partial))
                task.add_done_callback(lambda _: room.release())

    def _left(self, row: BatchRow, partial: Partial) -> Iterator[lines.Line]:
        done = frozenset(partial.done)
        return (one for one in lines.read(self.input_path(row.id), self._limits.body_bytes) if one.number not in done)

    async def _finish(self, row: BatchRow, partial: Partial, end: _End) -> None:
        if end == "completed" and not await self._book.advance(row.id, ["in_progress", "finalizing"], "finalizing"):
            end = "cancelled"
        await asyncio.to_thread(partial.close)
        paths = {kind: self._folder / f"{row.id}.{kind}.jsonl" for kind in ("output", "error")}
        results = self._all_results(row, partial, end)
        written = await asyncio.to_thread(ending.write, results, paths["output"], paths["error"])
        ids = {}
        for kind, count in (("output", written.outputs), ("error", written.errors)):
            if count:
                new = NewFile(row.project, f"{row.id}_{kind}.jsonl", "batch_output", row.output_seconds)
                ids[f"{kind}_file_id"] = (await self._shelf.adopt(ending.file_id(row.id, kind), paths[kind], new)).id
        counts = {"completed": partial.completed, "failed": partial.failed, "usage": written.usage}
        before = ["in_progress", "finalizing", "cancelling"]
        assert await self._book.advance(row.id, before, end, **counts, **ids), row.id
        self._forget(row.id)

    def _forget(self, batch_id: str) -> None:
        for path in self._folder.glob(f"{batch_id}.*"):
            path.unlink(missing_ok=True)

    def _all_results(self, row: BatchRow, partial: Partial, end: _End) -> Iterator[Result]:
        yield from partial.results()
        if row.total:  # 0: cancelled before the lines were checked
            for line in self._left(row, partial):
                yield unanswered(line, *_GIVEN_UP[end])


async def _answer_line(line: lines.Line, asker: Asker, partial: Partial) -> None:
    result = await asker.ask(line)
    await asyncio.to_thread(partial.add, result)
