"""The same tasks by datatrove's executors: a pool of this machine, a Slurm cluster, a Ray cluster.

The folder of the pipeline must be seen by all machines. A task needs nothing but its path, and our own marker decides
whether it is done, so any number of tries on any machines give what one machine gives.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from datatrove.executor.base import PipelineExecutor
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.executor.ray import RayPipelineExecutor
from datatrove.executor.slurm import SlurmPipelineExecutor

from axk1.corpus.pipeline.pipeline import begin, finish
from axk1.corpus.pipeline.settings import PipelineConfig
from axk1.corpus.pipeline.task import run_task
from axk1.runs import alone_in

__all__ = ["EXECUTORS", "Finish", "Task", "run_on_cluster"]

EXECUTORS: Mapping[str, Any] = {
    "datatrove": LocalPipelineExecutor,
    "slurm": SlurmPipelineExecutor,
    "ray": RayPipelineExecutor,
}


@dataclass(frozen=True)
class Task:
    """A whole task of a phase, as datatrove calls what stands in its pipelines; the rank is the number of the task."""

    folder: Path
    phase: int

    def __call__(self, _documents: object, rank: int, _world_size: int) -> None:
        """Gives no documents on: they go into the folder."""
        run_task(self.folder, self.phase, rank)


@dataclass(frozen=True)
class Finish:
    """After all phases: the report."""

    folder: Path

    def __call__(self, _documents: object, _rank: int, _world_size: int) -> None:
        """Gives no documents on."""
        finish(self.folder)


def run_on_cluster(config: PipelineConfig, folder: Path, executor: str, workers: int) -> None:
    """Plan here, then hand the phases over, each after the one before it. Slurm's jobs are submitted, not waited for.

    The options of the executor are `config.cluster`. ValueError for an unknown or a missing option; what
    `run_pipeline` raises.
    """
    make, folder = EXECUTORS[executor], folder.resolve()
    options = _options(make, config.cluster, executor)
    with alone_in(folder):
        job = begin(config, folder)
        before: PipelineExecutor | None = None
        for number, phase in enumerate(job.phases):
            before = _executor(
                make,
                Task(folder, number),
                phase.tasks(config.tasks),
                workers,
                folder,
                f"phase-{number}",
                before,
                options,
            )
        last = _executor(make, Finish(folder), 1, 1, folder, "report", before, options)
    last.run()


def _executor(
    make: Callable[..., PipelineExecutor],
    block: Task | Finish,
    tasks: int,
    workers: int,
    folder: Path,
    name: str,
    before: PipelineExecutor | None,
    options: Mapping[str, Any],
) -> PipelineExecutor:
    named = {"job_name": f"{folder.name}-{name}"} if "job_name" in signature(make).parameters else {}
    return make(
        pipeline=[block],
        tasks=tasks,
        workers=workers,
        logging_dir=str(folder / "logs" / name),
        skip_completed=False,
        depends=before,
        **named,
        **options,
    )


def _options(make: Callable[..., PipelineExecutor], options: Mapping[str, Any], executor: str) -> dict[str, Any]:
    ours = {"pipeline", "tasks", "workers", "logging_dir", "skip_completed", "depends", "job_name"}
    known = {name: one for name, one in signature(make).parameters.items() if name not in ours}
    if unknown := [name for name in options if name not in known]:
        raise ValueError(f"cluster: {executor} has no option {unknown[0]!r} (known: {', '.join(sorted(known))})")
    missing = [name for name, one in known.items() if one.default is one.empty and name not in options]
    if missing:
        raise ValueError(f"cluster: {executor} needs {', '.join(missing)}: write them under [cluster]")
    return dict(options)
