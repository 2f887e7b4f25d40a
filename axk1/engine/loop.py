"""The thread that serves: take what has arrived, schedule, run, hand out. Other threads only submit and cancel.

All state of scheduler and cache belongs to this thread. `cancel` takes no lock, since a garbage collector may call it
at any point of any thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from axk1.engine.backend import Backend
from axk1.engine.job import Floats, Job
from axk1.engine.scheduler import Scheduler, Sequence
from axk1.engine.speculation import Speculator
from axk1.engine.step import Part, run

__all__ = ["EngineClosedError", "Loop", "QueueFullError"]


class QueueFullError(RuntimeError):
    """So many requests wait already that one more is refused: try again later."""


class EngineClosedError(ValueError):
    """The engine was closed, or an error of its own ended it: it takes nothing more."""


class Loop:
    """Starts its thread with the first job and ends it with `close`."""

    def __init__(
        self, backend: Backend, scheduler: Scheduler, max_waiting: int, speculator: Speculator | None = None
    ) -> None:
        self._backend = backend
        self._scheduler = scheduler
        self._speculator = speculator
        self._max_waiting = max_waiting
        self._jobs: dict[Sequence, Job] = {}
        self._changed = threading.Condition()
        self._arrived: deque[Job] = deque()
        self._cancelled: deque[Job] = deque()
        self._after: list[Callable[[], None]] = []
        self._closing = False
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Requests that have not begun."""
        return len(self._arrived) + len(self._scheduler.waiting)

    def submit(self, job: Job) -> None:
        """Queues a job. QueueFullError when too many wait, EngineClosedError when closed."""
        with self._changed:
            if self._closing:
                raise EngineClosedError("the engine is closed: open it again")
            if self.waiting >= self._max_waiting:
                raise QueueFullError(f"{self.waiting} requests wait already, the most that may: try again later")
            self._arrived.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="axk1-engine", daemon=True)
                self._thread.start()
            self._changed.notify()

    def cancel(self, job: Job) -> None:
        """Ends a job before the next step; nothing happens if it has ended."""
        self._cancelled.append(job)

    def after_step(self, call: Callable[[], None]) -> None:
        """Calls it once, when all that the step gives is handed out. Of the thread that serves."""
        self._after.append(call)

    def close(self) -> None:
        """Cancels everything and closes the back end. Again is harmless."""
        with self._changed:
            first, self._closing = not self._closing, True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        elif first and self._thread is None:
            self._backend.close()

    def _serve(self) -> None:
        try:
            while self._take_in():
                if self._scheduler.busy:
                    self._step()
                self._call_after()
            for job in self._last_jobs():
                job.cancel()
        except Exception as error:  # a bug of ours: nobody may wait for ever
            for job in self._last_jobs():
                job.fail(error)
            raise
        finally:
            self._call_after()
            self._backend.close()

    def _call_after(self) -> None:
        calls, self._after = self._after, []
        for call in calls:
            call()

    def _last_jobs(self) -> list[Job]:
        """What has not ended; no more is let in."""
        with self._changed:
            self._closing = True
        return [*self._jobs.values(), *self._arrived]

    def _take_in(self) -> bool:
        """Waits until there is something to do, then takes in new jobs and drops cancelled ones; False at the end."""
        with self._changed:
            while not (self._arrived or self._scheduler.busy or self._closing):
                self._changed.wait()
            if self._closing:
                return False
            # cancelled ones first: whatever was cancelled by now has arrived by now
            cancelled = [self._cancelled.popleft() for _ in range(len(self._cancelled))]
            while self._arrived:
                job = self._arrived.popleft()
                self._jobs[job.sequence] = job
                self._scheduler.add(job.sequence)
        for job in cancelled:
            if job.sequence in self._jobs:
                job.cancel()
                self._end(job)
        return True

    def _step(self) -> None:
        pieces = self._scheduler.schedule()
        jobs = [self._jobs[piece.sequence] for piece in pieces]
        parts = [Part(job, piece, job.wanted(piece)) for job, piece in zip(jobs, pieces, strict=True)]
        for wants in ("logits", "hidden"):
            alike = [part for part in parts if part.job.wants == wants]
            if alike:
                self._run(alike)

    def _run(self, parts: list[Part]) -> None:
        """An error ends the jobs it struck and rises in whoever waits for them; the loop goes on for the others."""
        try:
            rows = run(self._backend, parts, parts[0].job.wants)
        except Exception as error:  # noqa: BLE001
            for part in parts:
                self._fail(part.job, error)
            return
        for part, rows_RX in zip(parts, rows, strict=True):
            self._hand_out(part, rows_RX)
        if self._speculator is not None:
            self._speculate(self._speculator, parts)
        for part in parts:
            if part.job.ended:
                self._end(part.job)

    def _hand_out(self, part: Part, rows_RX: Floats) -> None:
        try:
            if len(rows_RX):
                part.job.receive(rows_RX, part.piece.draft)
        except Exception as error:  # noqa: BLE001
            part.job.fail(error)
        else:
            self._scheduler.computed(part.piece)

    def _speculate(self, speculator: Speculator, parts: list[Part]) -> None:
        """Before jobs end, while their blocks are still theirs: drafting may write to them."""
        try:
            speculator.after(parts)
        except Exception as error:  # noqa: BLE001
            for part in parts:
                if not part.job.ended:
                    part.job.fail(error)

    def _fail(self, job: Job, error: Exception) -> None:
        job.fail(error)
        self._end(job)

    def _end(self, job: Job) -> None:
        del self._jobs[job.sequence]
        if self._speculator is not None:
            self._speculator.forget(job.sequence)
        self._scheduler.finish(job.sequence)
