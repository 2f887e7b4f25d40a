"""Grades of a model folder: held-out exercises of the curriculum, bits per byte of texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from axk1.cli.engine import EngineOptions, open_engine, reading, start_of
from axk1.cli.job import Job
from axk1.cli.recipe import EvalsConfig
from axk1.corpus.source import Source
from axk1.engine.engine import Engine
from axk1.evals import bits, chart, report
from axk1.evals.evaluate import evaluate
from axk1.evals.result import Report, TaskResult
from axk1.evals.table import tables
from axk1.evals.task import Task, load_tasks
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["Wanted", "grade", "make_grades"]


@dataclass(frozen=True)
class Wanted:
    """What is to be measured: tasks of the plug-in (`only` those named), and the texts of the sources."""

    settings: EvalsConfig = field(default_factory=EvalsConfig)
    plugin: str = "curriculum"
    only: tuple[str, ...] = ()
    texts: tuple[Source, ...] = ()
    tasks: bool = True


def make_grades(job: Job) -> Mapping[str, Any]:
    """evals/: the held-out grades of the model folder."""
    graded = grade(job.folder("model"), Wanted(job.recipe.evals), job.console)
    save(graded, job.folder("evals"))
    job.console.print(tables(graded, job.say.language))
    job.tell(f"채점 결과: {job.folder('evals')}", f"grades: {job.folder('evals')}")
    return {"mean": graded.to_mapping()["mean"]}


def grade(folder: Path, wanted: Wanted, console: Console, options: EngineOptions | None = None) -> Report:
    """Measure the model of a folder, plain or quantised, by the engine.

    CheckpointError, TokenizerError, CorpusError, ValueError for an unknown task.
    """
    tokenizer = Tokenizer.load(folder)
    tasks = load_tasks(wanted.plugin, wanted.only) if wanted.tasks else []
    settings = wanted.settings
    asked = (settings.exercises, settings.max_new_tokens, settings.seed)
    with open_engine(folder, options) as engine, reading(engine) as logits:
        results = _answered(tasks, tokenizer, engine, settings, console) if tasks else ()
        scorer = bits.scorer_of(logits, start_of(engine))
        texts = tuple(one for source in wanted.texts for one in bits.score(source, tokenizer, scorer))
    return Report(str(folder), *asked, results, texts)


def save(graded: Report, folder: Path) -> None:
    """The report as JSON, Markdown and, with tasks, a picture."""
    report.write(graded, folder)
    if graded.tasks:
        chart.draw(graded, folder / "grades.png")


def _answered(
    tasks: Sequence[Task], tokenizer: Tokenizer, engine: Engine, settings: EvalsConfig, console: Console
) -> tuple[TaskResult, ...]:
    return evaluate(
        tasks,
        tokenizer,
        engine,
        exercises=settings.exercises,
        max_new_tokens=settings.max_new_tokens,
        seed=settings.seed,
        progress=lambda mode, count: console.print(f"  {mode}: {count}", style="dim"),
    )
