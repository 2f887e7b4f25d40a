"""A recipe → a folder of documents, with every answer that was paid for, so that it can go on.

parts/part-00000.jsonl.zst …   the kept documents: a source for pipelines and recipes
rejects.jsonl.zst              every candidate that was not kept, with the reason
exercises.jsonl.zst            kept questions with answers, in the form of the curriculum's
samples/                       some of each task and reason, to look at
answers.jsonl                  the answers of the model, by what was asked
recipe.json, report.json

All but answers.jsonl is made anew from the answers and written whole at the end. So rules may be changed and tried
again without paying, and the result depends on the recipe and the answers alone: not on the number of threads, nor on
how often the command was stopped.
"""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from axk1.config import ConfigError, to_mapping
from axk1.corpus.dedup.near import NearDedup
from axk1.corpus.documents import Document
from axk1.corpus.streams import CorpusError
from axk1.corpus.synthesis.answers import Answers
from axk1.corpus.synthesis.asking import Asker
from axk1.corpus.synthesis.budget import Amount
from axk1.corpus.synthesis.completion import Complete, served
from axk1.corpus.synthesis.items import items_of
from axk1.corpus.synthesis.order import in_order
from axk1.corpus.synthesis.prompts import PromptTemplate, read_template
from axk1.corpus.synthesis.report import SynthesisReport
from axk1.corpus.synthesis.settings import Model, SynthesisConfig
from axk1.corpus.synthesis.shelf import Shelf
from axk1.corpus.synthesis.writing import Outcome, Voice, Writer
from axk1.runs import alone_in, write_whole

__all__ = ["Progress", "synthesize"]

Progress = Callable[[str, int, int, Amount], None]
"""Called after every item: its task, items so far, documents kept so far, what the folder has spent."""

_AHEAD = 4  # items under way or waiting for an earlier one, for each thread


def synthesize(
    config: SynthesisConfig,
    folder: Path,
    recipe_folder: Path = Path(),
    complete: Complete | None = None,
    progress: Progress | None = None,
) -> SynthesisReport:
    """Write what the recipe asks for, or go on with it. recipe_folder: what its paths of templates are relative to.

    complete: stands in for the endpoint of the recipe's model, as an engine of the same process does. Raises
    ConfigError, CorpusError for bad input or an endpoint that does not answer, OSError.
    """
    templates = _templates(config, recipe_folder)
    stop = threading.Event()
    voice = _voice(config.model, complete, stop)
    judge = config.judge and config.judge.model
    with alone_in(folder), Answers(folder / "answers.jsonl") as answers:
        (folder / "report.json").unlink(missing_ok=True)
        _describe(config, templates, folder)
        asker = Asker(answers, config.budget, stop)
        writer = Writer(config, templates, asker, voice, _voice(judge, None, stop) if judge else voice)
        with Shelf(folder, config.seed, config.samples) as shelf:
            seeds = items_of(config, recipe_folder, shelf.drop)
            outcomes = in_order(seeds, writer.work, config.concurrency, _AHEAD * config.concurrency, stop)
            try:
                limit = _shelve(outcomes, shelf, config, asker, progress)
            finally:
                outcomes.close()
        report = _report(config, shelf, asker.spent, limit)
        write_whole(folder / "report.json", json.dumps(report.to_json(), ensure_ascii=False, indent=1) + "\n")
    return report


def _shelve(
    outcomes: Iterator[Outcome], shelf: Shelf, config: SynthesisConfig, asker: Asker, progress: Progress | None
) -> str:
    """All outcomes onto the shelf; the limit by which they ended early, if they did."""
    limits: list[str] = []

    def documents() -> Iterator[Document]:
        for number, outcome in enumerate(_while_answered(outcomes, config.most_failures), start=1):
            if outcome.limit:
                limits.append(outcome.limit)
            yield from shelf.candidates(outcome)
            if progress is not None:
                kept = sum(count.kept for count in shelf.counts.values())
                progress(outcome.item.task.name, number, kept, asker.spent)

    for document in NearDedup(config.near_dedup)(documents(), shelf.drop):
        shelf.keep(document)
    return limits[0] if limits else ""


def _while_answered(outcomes: Iterator[Outcome], most_failures: int) -> Iterator[Outcome]:
    """CorpusError when so many items in a row had no answer."""
    failed = 0
    for outcome in outcomes:
        failed = failed + 1 if outcome.failed else 0
        if failed == most_failures:
            raise CorpusError(f"{failed} items in a row had no answer; the last: {outcome.made[-1].document.text}")
        yield outcome


def _voice(model: Model, complete: Complete | None, stop: threading.Event) -> Voice:
    if complete is None and not model.url:
        raise ConfigError(f'model {model.name}: say where it answers: url = "http://…/v1"')
    return Voice(model, complete or served(model.endpoint, stop))


def _templates(config: SynthesisConfig, folder: Path) -> dict[str, PromptTemplate]:
    """All that will be needed, read now: a mistake in one is found before anything is paid."""
    wanted = {task.template for task in config.tasks} | {task.reword for task in config.tasks if task.reword}
    wanted |= {"answer"} if any(task.round_trip for task in config.tasks) else set()
    wanted |= {config.judge.template} if config.judge else set()
    return {name: read_template(name, folder) for name in sorted(wanted)}


def _describe(config: SynthesisConfig, templates: dict[str, PromptTemplate], folder: Path) -> None:
    hashes = {name: template.sha256 for name, template in templates.items()}
    values = {"recipe": to_mapping(config), "templates": hashes}
    write_whole(folder / "recipe.json", json.dumps(values, ensure_ascii=False, indent=1) + "\n")


def _report(config: SynthesisConfig, shelf: Shelf, spent: Amount, limit: str) -> SynthesisReport:
    around = (("round_trip", any(task.round_trip for task in config.tasks)), ("judge", config.judge is not None))
    steps = [f"synthesis by {config.model.name}", "rules", *(name for name, used in around if used), "near_dedup"]
    templates = {task.name: task.template for task in config.tasks}
    counts = [count.report(name, templates.get(name, "")) for name, count in shelf.counts.items()]
    return SynthesisReport(tuple(steps), tuple(counts), spent, config.model.output_terms, limit)
