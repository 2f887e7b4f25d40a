"""All tasks' counts as one, per step."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from axk1.corpus.documents import Scope
from axk1.corpus.pipeline.meter import BETWEEN, READ, WRITE, Flow, StepCount
from axk1.corpus.pipeline.samples import OUTCOMES, Sample, merged, read_samples
from axk1.corpus.pipeline.task import Job, TaskReport, job_of, read_report

__all__ = ["PipelineReport", "StepReport", "all_samples", "make_report"]


@dataclass(frozen=True)
class StepReport:
    """A step over all tasks. megabytes_per_second: text that it took in, per second of one core."""

    count: StepCount
    scope: Scope
    megabytes_per_second: float


@dataclass(frozen=True)
class PipelineReport:
    """What came in, what was kept, and what every step did; seconds of CPU time, memory of the largest task."""

    read: Flow
    kept: Flow
    steps: tuple[StepReport, ...]
    seconds: float
    megabytes_per_second: float  # text read, per second of one core, reading and writing counted in
    peak_memory: int
    ignored_files: tuple[str, ...]


def make_report(job: Job, folder: Path) -> PipelineReport:
    """Of a pipeline whose tasks are all finished."""
    reports = list(_task_reports(job, folder))
    columns: dict[str, tuple[Scope, StepCount]] = {}
    for report in reports:
        scope = job.phases[report.phase].scope
        for count in _renamed(report, last=report.phase == len(job.phases) - 1):
            held = columns.get(count.step, (scope, StepCount(count.step)))[1]
            columns[count.step] = (scope, held + count)
    order = [READ, *itertools.chain.from_iterable(phase.labels for phase in job.phases), BETWEEN, WRITE]
    counts = [(columns[step][0], columns[step][1]) for step in order if step in columns]
    read, seconds = columns[READ][1].kept, sum(count.seconds for _, count in counts)
    kept = sum((one.counts[-1].kept for one in reports if one.phase == len(job.phases) - 1), Flow())
    return PipelineReport(
        read,
        kept,
        tuple(
            StepReport(count, scope, _speed(count.taken if count.taken.documents else count.kept, count.seconds))
            for scope, count in counts
        ),
        seconds,
        _speed(read, seconds),
        max(report.peak_memory for report in reports),
        job.plan.ignored_files,
    )


def all_samples(folder: Path) -> list[Sample]:
    """Of every step, outcome and reason as many as the pipeline keeps, in the steps' order; of finished tasks.

    FileNotFoundError, ConfigError or CorpusError for a folder of something else.
    """
    job = job_of(folder)
    paths = sorted((folder / "samples").glob("*.jsonl.zst"))
    samples = merged(itertools.chain.from_iterable(map(read_samples, paths)), job.config.samples)
    steps = [READ, *itertools.chain.from_iterable(phase.labels for phase in job.phases)]
    return sorted(samples, key=lambda one: (steps.index(one.step), OUTCOMES.index(one.outcome), one.reason))


def _task_reports(job: Job, folder: Path) -> Iterator[TaskReport]:
    layout = job.layout(folder)
    for number, phase in enumerate(job.phases):
        for task in range(phase.tasks(layout.parts)):
            yield read_report(layout, number, task)


def _renamed(report: TaskReport, *, last: bool) -> Iterator[StepCount]:
    """What a phase writes for the next one counts as time between the two."""
    for count in report.counts:
        yield count if last or count.step != WRITE else StepCount(BETWEEN, seconds=count.seconds)


def _speed(flow: Flow, seconds: float) -> float:
    return round(flow.bytes / seconds / 1e6, 2) if seconds > 0 else 0.0
