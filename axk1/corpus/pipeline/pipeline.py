"""A pipeline from its settings to its report: plan it, run what is missing, count."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from axk1.config import to_mapping
from axk1.corpus.pipeline.plan import check_unchanged, make_plan
from axk1.corpus.pipeline.report import PipelineReport, make_report
from axk1.corpus.pipeline.settings import PipelineConfig
from axk1.corpus.pipeline.task import Job, job_of
from axk1.corpus.pipeline.workers import Progress, run_here
from axk1.corpus.steps import make_step
from axk1.corpus.streams import CorpusError
from axk1.runs import alone_in, write_whole

__all__ = ["PhaseBegins", "begin", "finish", "run_pipeline"]

PhaseBegins = Callable[[Sequence[str], int], Progress]
"""Called with the steps of a phase and the number of its tasks that are still to be done; gives what shows progress."""


def run_pipeline(
    config: PipelineConfig, folder: Path, workers: int = 1, begins: PhaseBegins | None = None
) -> PipelineReport:
    """Run the pipeline on this machine, or go on with it; the result lies in `folder`/parts.

    Raises CorpusError for bad input, ValueError (other settings than before, an unknown step), OSError.
    """
    with alone_in(folder):
        job = begin(config, folder)
        layout = job.layout(folder)
        try:
            for number, phase in enumerate(job.phases):
                tasks = range(phase.tasks(layout.parts))
                missing = [task for task in tasks if not layout.marker(number, task).exists()]
                progress = begins(phase.labels, len(missing)) if begins else _unseen
                run_here(folder, number, missing, workers, progress)
                layout.end_phase(number)
        finally:
            layout.sweep()
        return finish(folder)


def begin(config: PipelineConfig, folder: Path) -> Job:
    """The folder's plan, made now or found there. ValueError if it was begun otherwise."""
    for entry in config.steps:  # before anything is read: a wrong option is found here
        make_step(entry)
    if (folder / "pipeline.json").exists():
        job = job_of(folder)
        _check_same(job.config, config, folder)
        check_unchanged(job.plan)
    else:
        job = Job(config, make_plan(config))
        write_whole(folder / "pipeline.json", json.dumps(to_mapping(job), ensure_ascii=False, indent=1) + "\n")
    job.layout(folder).begin()
    return job


def finish(folder: Path) -> PipelineReport:
    """Count what all tasks did into report.json, and remove what lay between phases. CorpusError if nothing is left."""
    job = job_of(folder)
    job.layout(folder).end_phase(len(job.phases) - 1)
    report = make_report(job, folder)
    write_whole(folder / "report.json", json.dumps(to_mapping(report), ensure_ascii=False, indent=1) + "\n")
    if not report.kept.documents:
        why = "; ".join(f"{one.count.step}: {dict(one.count.dropped)}" for one in report.steps if one.count.dropped)
        raise CorpusError(f"{folder}: no document is left ({why or 'none was read'})")
    return report


def _check_same(before: PipelineConfig, now: PipelineConfig, folder: Path) -> None:
    old, new = ({**to_mapping(config), "cluster": None} for config in (before, now))
    if differences := [key for key in old if old[key] != new[key]]:
        what = "; ".join(f"{key} was {_short(old[key])}, now {_short(new[key])}" for key in differences)
        raise ValueError(f"{folder} was begun otherwise: {what}. Choose another folder, or remove this one")


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _unseen(_tasks: int, _documents: int, _characters: int) -> None:
    """No one watches."""
