"""Tasks on this machine: in this process one after the other, or a process for each, so many at a time.

A process per task gives its memory back, and one that the system kills is noticed. It reports through a pipe: when the
parent is killed, the next report fails and the child ends.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from axk1.corpus.pipeline.task import run_task

__all__ = ["Progress", "run_here"]

Progress = Callable[[int, int, int], None]
"""Called with how many tasks have ended, documents and characters have been read, each since the last call."""


def run_here(folder: Path, phase: int, tasks: Sequence[int], workers: int, progress: Progress) -> None:
    """Do these tasks of the phase. The first error ends all and is raised: CorpusError, ValueError, OSError."""
    if workers == 1 or len(tasks) == 1:
        for task in tasks:
            run_task(folder, phase, task, partial(progress, 0))
            progress(1, 0, 0)
        return
    with _Crew(folder, phase, progress) as crew:
        for task in tasks:
            while crew.size >= workers:
                crew.listen()
            crew.begin(task)
        while crew.size:
            crew.listen()


class _Crew:
    """The processes at work."""

    def __init__(self, folder: Path, phase: int, progress: Progress) -> None:
        self._folder, self._phase, self._progress = folder, phase, progress
        self._at_work: dict[Connection, tuple[int, SpawnProcess]] = {}

    @property
    def size(self) -> int:
        return len(self._at_work)

    def begin(self, task: int) -> None:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("spawn").Process(
            target=_work, args=(self._folder, self._phase, task, theirs), daemon=True
        )
        with _without_interrupts():
            process.start()
            self._at_work[ours] = (task, process)
        theirs.close()

    def listen(self) -> None:
        """Wait for word from any, and take it."""
        for ours in wait(list(self._at_work)):
            assert isinstance(ours, Connection)
            try:
                word = ours.recv()
            except EOFError:
                self._end(ours)
                continue
            if isinstance(word, Exception):
                raise word
            self._progress(0, *word)

    def _end(self, ours: Connection) -> None:
        task, process = self._at_work.pop(ours)
        process.join()
        ours.close()
        if process.exitcode:
            raise ChildProcessError(
                f"task {task} was ended by the system ({_cause(process.exitcode)}); run the same command to go on"
            )
        self._progress(1, 0, 0)

    def __enter__(self) -> "_Crew":
        return self

    def __exit__(self, *_error: object) -> None:
        for _task, process in self._at_work.values():
            process.terminate()
        for ours, (_task, process) in self._at_work.items():
            process.join()
            ours.close()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """What is started here never sees Ctrl-C, which reaches all processes of a terminal; the parent ends them."""
    resource_tracker.ensure_running()  # which else starts with the first process, and lets interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cause(code: int) -> str:
    if code == -signal.SIGKILL:
        return "killed, as when memory is used up; fewer workers need less"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _work(folder: Path, phase: int, task: int, out: Connection) -> None:
    try:
        run_task(folder, phase, task, lambda documents, characters: out.send((documents, characters)))
    except BrokenPipeError:  # nobody listens any more
        return
    except (ValueError, OSError) as error:
        out.send(error)
