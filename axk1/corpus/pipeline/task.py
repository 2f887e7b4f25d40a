"""One task of a phase: documents in, steps, a part out. Whoever has the folder can do it, on any machine."""

import itertools
import json
import re
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from axk1.config import from_mapping, to_mapping
from axk1.corpus.documents import Document, JsonLines, Reject, read_documents
from axk1.corpus.pipeline.layout import Layout, written_whole
from axk1.corpus.pipeline.meter import BETWEEN, READ, Meter, StepCount
from axk1.corpus.pipeline.phases import Phase, phases_of
from axk1.corpus.pipeline.plan import Plan, read_pieces
from axk1.corpus.pipeline.samples import write_samples
from axk1.corpus.pipeline.settings import PipelineConfig
from axk1.corpus.steps import NamedStep, make_step
from axk1.runs import write_whole

__all__ = ["Job", "TaskReport", "Tick", "job_of", "read_report", "run_task"]

Tick = Callable[[int, int], None]
"""Called now and then with how many documents and bytes of text have been read since the last call."""

_TICK = 500  # documents


def silent(_documents: int, _bytes: int) -> None:
    """A Tick that shows nothing."""


@dataclass(frozen=True)
class Job:
    """A pipeline with its plan, as pipeline.json holds it."""

    config: PipelineConfig
    plan: Plan

    @cached_property
    def phases(self) -> list[Phase]:
        """Of the steps."""
        return phases_of(self.config.steps)

    def layout(self, folder: Path) -> Layout:
        """Where its files lie."""
        return Layout(folder, len(self.phases), self.config.tasks)


@dataclass(frozen=True)
class TaskReport:
    """What a marker holds; peak_memory: bytes, of the process."""

    phase: int
    task: int
    counts: tuple[StepCount, ...]
    wall_seconds: float
    peak_memory: int


def job_of(folder: Path) -> Job:
    """What was begun in the folder. FileNotFoundError, ConfigError."""
    path = folder / "pipeline.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    return from_mapping({key: values[key] for key in ("config", "plan")}, Job, str(path))


def read_report(layout: Layout, phase: int, task: int) -> TaskReport:
    """The marker of a finished task."""
    path = layout.marker(phase, task)
    return from_mapping(json.loads(path.read_text(encoding="utf-8")), TaskReport, str(path))


def run_task(folder: Path, number: int, task: int, tick: Tick = silent) -> None:
    """Do the task of the phase `number` in the folder, unless it is done; the same bytes every time.

    Raises CorpusError for bad input, ValueError, OSError (a full disk).
    """
    job = job_of(folder)
    layout, phase = job.layout(folder), job.phases[number]
    if layout.marker(number, task).exists():
        return
    meter = Meter(phase.labels, job.config.seed, job.config.samples, BETWEEN if number else READ)
    with ExitStack() as files:
        rejects = files.enter_context(JsonLines(files.enter_context(written_whole(layout.rejects(number, task)))))

        def drop(document: Document, step: str, reason: str) -> None:
            rejects.write({"why": f"{step}: {reason}", **document.to_json()})

        def unreadable(document: Document, reason: str) -> None:
            meter.unreadable(document, reason)
            drop(document, READ, reason)

        steps = [NamedStep(label, make_step(entry)) for label, entry in zip(phase.labels, phase.entries, strict=True)]
        documents = _ticking(_inputs(job, layout, number, task, unreadable), tick)
        _write(meter.through(steps, documents, drop), job, layout, number, task)
    with written_whole(layout.samples(number, task)) as path:
        write_samples(meter.samples(), path)
    counts, wall = meter.counts(), meter.wall_seconds()
    report = TaskReport(number, task, tuple(counts), wall, peak_memory())
    write_whole(layout.marker(number, task), json.dumps(to_mapping(report), ensure_ascii=False) + "\n")


def peak_memory() -> int:
    """The most that this process has held, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the process from which this one was started
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"), re.MULTILINE)
        return 1024 * int(found[1]) if found else 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _inputs(job: Job, layout: Layout, number: int, task: int, reject: Reject) -> Iterator[Document]:
    if not number:
        return read_pieces(job.plan.tasks[task], job.plan, job.config, reject)
    parts = job.phases[number].inputs(task, layout.parts)
    return itertools.chain.from_iterable(read_documents(layout.part(number - 1, part)) for part in parts)


def _ticking(documents: Iterator[Document], tick: Tick) -> Iterator[Document]:
    count = size = 0
    for document in documents:
        count, size = count + 1, size + len(document.text)
        if count == _TICK:
            tick(count, size)
            count = size = 0
        yield document
    tick(count, size)


def _write(documents: Iterator[Document], job: Job, layout: Layout, number: int, task: int) -> None:
    """Into the task's part; one task of scope "corpus" cuts what it is given into parts of about equal size."""
    if job.phases[number].scope == "document":
        _write_part(documents, layout.part(number, task))
        return
    before = job.phases[number - 1].tasks(layout.parts)
    total = sum(read_report(layout, number - 1, one).counts[-1].kept.characters for one in range(before))
    cut = _Cut(documents, total / layout.parts)
    for part in range(layout.parts):
        _write_part(cut.up_to(part, last=part == layout.parts - 1), layout.part(number, part))


class _Cut:
    """Documents in runs of about `share` characters."""

    def __init__(self, documents: Iterator[Document], share: float) -> None:
        self._documents = documents
        self._share = share
        self._passed = 0

    def up_to(self, part: int, *, last: bool) -> Iterator[Document]:
        """The run of this part; the last one takes the rest."""
        while last or self._passed < (part + 1) * self._share:
            document = next(self._documents, None)
            if document is None:
                return
            self._passed += len(document.text)
            yield document


def _write_part(documents: Iterator[Document], path: Path) -> None:
    with written_whole(path) as partial, JsonLines(partial) as file:
        for document in documents:
            file.write(document.to_json())
