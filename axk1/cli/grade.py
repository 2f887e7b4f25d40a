"""Grades of a model folder: held-out exercises of the curriculum, bits per byte of texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from axk1.chat.sampling import GREEDY, SamplingParams
from axk1.cli.job import Job
from axk1.cli.machine import load_model
from axk1.cli.recipe import EvalsConfig
from axk1.cli.words import Words
from axk1.corpus.source import Source
from axk1.data.evaluation import Evaluation
from axk1.data.shards import TokenShards
from axk1.evals import bits, chart, report
from axk1.evals.evaluate import evaluate
from axk1.evals.result import Report, TaskResult
from axk1.evals.table import tables
from axk1.evals.task import Task, load_tasks
from axk1.model.generate import Generator
from axk1.model.transformer import Transformer
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.train.validation import bits_per_byte

__all__ = ["Wanted", "grade", "make_grades"]

_ROW, _ROWS = 512, 8  # tokens of a row and rows of a batch in which texts are scored


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
    graded = grade(job.folder("model"), Wanted(job.recipe.evals), job.say, job.console)
    save(graded, job.folder("evals"))
    job.console.print(tables(graded, job.say.language))
    job.tell(f"채점 결과: {job.folder('evals')}", f"grades: {job.folder('evals')}")
    return {"mean": graded.to_mapping()["mean"]}


def grade(folder: Path, wanted: Wanted, say: Words, console: Console) -> Report:
    """Measure the model of a folder. CheckpointError, TokenizerError, CorpusError, ValueError for an unknown task."""
    tokenizer = Tokenizer.load(folder)
    tasks = load_tasks(wanted.plugin, wanted.only) if wanted.tasks else []
    model = load_model(folder, say, console)
    results = _answered(tasks, model, tokenizer, wanted.settings, console) if tasks else ()
    texts = [one for source in wanted.texts for one in bits.score(source, tokenizer, lambda part: _bits(model, part))]
    asked = (wanted.settings.exercises, wanted.settings.max_new_tokens, wanted.settings.seed)
    return Report(str(folder), *asked, results, tuple(texts))


def save(graded: Report, folder: Path) -> None:
    """The report as JSON, Markdown and, with tasks, a picture."""
    report.write(graded, folder)
    if graded.tasks:
        chart.draw(graded, folder / "grades.png")


def _answered(
    tasks: Sequence[Task], model: Transformer, tokenizer: Tokenizer, settings: EvalsConfig, console: Console
) -> tuple[TaskResult, ...]:
    return evaluate(
        tasks,
        tokenizer,
        _Completer(Generator(model), frozenset(model.config.special_token_ids)),
        exercises=settings.exercises,
        max_new_tokens=settings.max_new_tokens,
        seed=settings.seed,
        progress=lambda mode, count: console.print(f"  {mode}: {count}", style="dim"),
    )


@dataclass(frozen=True)
class _Completer:
    """The torch model as a TokenCompleter."""

    generator: Generator
    eos: frozenset[int]

    def complete(
        self, prompts: Sequence[list[int]], max_new_tokens: int, sampling: SamplingParams = GREEDY
    ) -> list[list[int]]:
        chosen = (sampling.temperature, sampling.top_p, sampling.seed or 0)
        return self.generator.generate(prompts, max_new_tokens, self.eos, *chosen)


def _bits(model: Transformer, shards: TokenShards) -> float:
    return bits_per_byte(model, Evaluation(shards, _ROW, _ROWS))
