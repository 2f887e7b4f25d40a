"""The one writer of a server to its ledger: what comes while a transaction runs goes into the next one together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import exc
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from axk1.server.access import Ticket
from axk1.server.calls import Usage
from axk1.server.errors import ApiError
from axk1.server.store.database import exclusive
from axk1.server.tenancy.journal import Journal
from axk1.server.tenancy.ledger import Admission, Settlement, write

__all__ = ["AWAY", "Writer", "away"]

AWAY = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError, OSError)
"""Errors of a database that cannot be reached, is full, locked or read-only: it may be back. Others are mistakes."""

_MOST = 256  # of one transaction
_PATIENCE = 15.0  # seconds for one transaction; a database that takes longer is away
_PAUSE = 1.0  # seconds between two looks whether it is back

_log = logging.getLogger(__name__)


def away() -> ApiError:
    """503 while the database cannot be reached."""
    message = "the server's database cannot be reached at the moment: try again in a few seconds"
    return ApiError(503, message, "server_error", code="database_unavailable", headers={"Retry-After": "3"})


@dataclass
class _Job:
    work: Admission | Settlement
    done: asyncio.Future[Ticket | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Writer:
    """While the database is away, admissions are refused at once and settlements go to the journal; they are written
    when it is back. One task does it all, so nothing here needs a lock."""

    def __init__(self, database: AsyncEngine, journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self._jobs: deque[_Job] = deque()
        self._news = asyncio.Event()
        self._closing = False
        self._away_since: float | None = None
        self._waiting = bool(journal.read())
        self._task = asyncio.create_task(self._run(), name="ledger writer")

    async def admit(self, admission: Admission) -> Ticket:
        """The row is on disk when it returns. A caller that leaves meanwhile leaves no open row."""
        job = self._put(admission)
        try:
            ticket = await job.done
        except asyncio.CancelledError:
            if job.done.done() and not job.done.cancelled() and not job.done.exception():
                self._put(_left(admission.id, admission.at))
            raise
        assert ticket
        return ticket

    async def settle(self, settlement: Settlement) -> None:
        """On disk when it returns: in the database, or in the journal while that is away."""
        await asyncio.shield(self._put(settlement).done)

    async def close(self) -> bool:
        """Writes what is there. True where nothing waits in the journal."""
        self._closing = True
        self._news.set()
        await self._task
        return not self._waiting

    def _put(self, work: Admission | Settlement) -> _Job:
        job = _Job(work)
        self._jobs.append(job)
        self._news.set()
        return job

    async def _run(self) -> None:
        while self._jobs or not self._closing:
            if not self._jobs:
                await self._rest()
            if self._waiting and self._due():
                await self._write([], [])
            batch = [self._jobs.popleft() for _ in range(min(len(self._jobs), _MOST))]
            if batch:
                await self._serve_apart(batch)

    async def _rest(self) -> None:
        """Until there is work, or time to look for the database."""
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), _PAUSE if self._waiting else None)
        except TimeoutError:
            return

    def _due(self) -> bool:
        return self._away_since is None or time.monotonic() - self._away_since >= _PAUSE

    async def _serve_apart(self, batch: Sequence[_Job]) -> None:
        """A job that the database will never take (a mistake of ours) fails alone, not those that came with it."""
        try:
            await self._serve(batch)
        except SQLAlchemyError as error:
            if len(batch) == 1:
                _log.error("the ledger could not be written: %s", error)
                _fail(batch[0], error)
            else:
                for job in batch:
                    await self._serve_apart([job])

    async def _serve(self, batch: Sequence[_Job]) -> None:
        admitting = [job for job in batch if isinstance(job.work, Admission) and not job.done.cancelled()]
        settling = [job for job in batch if isinstance(job.work, Settlement)]
        admissions = [job.work for job in admitting if isinstance(job.work, Admission)]
        settlements = [job.work for job in settling if isinstance(job.work, Settlement)]
        answers = await self._write(admissions, settlements) if self._due() else None
        if answers is None:
            await self._keep(admissions, settlements, settling)
        for job in settling:
            _resolve(job, None)
        for job, answer in zip(admitting, answers or [away() for _ in admitting], strict=True):
            if job.done.cancelled() and isinstance(answer, Ticket):
                self._put(_left(answer.id, time.time()))
            _resolve(job, answer)

    async def _write(
        self, admissions: Sequence[Admission], settlements: Sequence[Settlement]
    ) -> list[Ticket | ApiError] | None:
        """What waits in the journal comes first. None: the database is away, and whether it took this is not known."""
        waiting = self._journal.read() if self._waiting else []
        try:
            async with asyncio.timeout(_PATIENCE), exclusive(self._database) as connection:
                for place in range(0, len(waiting), _MOST):
                    await write(connection, [], waiting[place : place + _MOST])
                answers = await write(connection, admissions, settlements)
        except AWAY as error:
            if self._away_since is None:
                _log.warning("the database cannot be reached; usage is kept in %s: %s", self._journal.path, error)
            self._away_since = time.monotonic()
            return None
        if self._away_since is not None:
            _log.warning("the database is back; %d settlements from the journal were written", len(waiting))
        self._away_since = None
        if waiting:
            await asyncio.to_thread(self._journal.empty)
        self._waiting = False
        return answers

    async def _keep(
        self, admissions: Sequence[Admission], settlements: Sequence[Settlement], settling: Sequence[_Job]
    ) -> None:
        """Refused requests may have a row all the same, if the connection broke after the commit: they end too."""
        ends = [*settlements, *(Settlement(one.id, Usage(), "failed", one.at) for one in admissions)]
        if not ends:
            return
        try:
            await asyncio.to_thread(self._journal.append, ends)
        except OSError as error:  # a full disk: who waits for it must know
            for job in settling:
                _fail(job, error)
            _log.error("usage could not be kept in %s: %s", self._journal.path, error)
            return
        self._waiting = True


def _left(id_: str, at: float) -> Settlement:
    return Settlement(id_, Usage(), "cancelled", at)


def _resolve(job: _Job, answer: Ticket | ApiError | None) -> None:
    if isinstance(answer, ApiError):
        _fail(job, answer)
    elif not job.done.done():
        job.done.set_result(answer)


def _fail(job: _Job, error: Exception) -> None:
    if not job.done.done():
        job.done.set_exception(error)
