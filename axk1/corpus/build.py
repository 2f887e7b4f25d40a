"""The corpus stage: sources and the built-in curriculum → train and validation files, written whole, with a report.

    folder/train.jsonl.zst, validation.jsonl.zst             documents: {"text", "id", "source"}
    folder/exercises_train.jsonl.zst, exercises_validation.jsonl.zst
    folder/rejects.jsonl.zst                                 what was dropped, and why
    folder/report.json

Exercises are written here rather than drawn again from the seed by each later stage: a resumed or repeated stage then
sees the same ones even when the generator's code has moved on, a person can read them, and a user's own file has the
same form. At about 50 bytes an exercise in zstd that costs next to nothing.
"""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from axk1.config import to_mapping
from axk1.corpus.curriculum import as_text, exercises
from axk1.corpus.documents import Document, JsonLines, Ledger
from axk1.corpus.exercise import Side
from axk1.corpus.exercise_file import write_exercises
from axk1.corpus.measure import Amount
from axk1.corpus.mix import mixed
from axk1.corpus.narrative import narratives
from axk1.corpus.source import Source, files_of
from axk1.corpus.split import Part, part_of
from axk1.corpus.steps import NamedStep, StepEntry, chained, make_steps, rejecter, step_name
from axk1.corpus.streams import CorpusError
from axk1.runs import whole_folder, write_whole

__all__ = ["CorpusConfig", "CorpusReport", "Curriculum", "Progress", "SourceReport", "build"]

Progress = Callable[[str, int], None]
"""Called now and then with the name of what is being written and how many of it are."""

_PROGRESS_EVERY = 1000


def silent(_name: str, _count: int) -> None:
    """A Progress that shows nothing."""


@dataclass(frozen=True)
class Curriculum:
    """How much of the built-in curriculum, training side.

    documents: exercises as plain text, and narratives: passages, both for pre-training; exercises: for fine-tuning.
    """

    documents: int = 0
    narratives: int = 0
    exercises: int = 0
    weights: Mapping[str, float] = field(default_factory=dict)  # per family; empty = the curriculum's own

    def __post_init__(self) -> None:
        if min(self.documents, self.narratives, self.exercises) < 0:
            raise ValueError("curriculum: documents, narratives and exercises must not be negative")

    @property
    def texts(self) -> int:
        """Documents of both kinds."""
        return self.documents + self.narratives


@dataclass(frozen=True)
class CorpusConfig:
    """The corpus part of a recipe."""

    seed: int = 0
    validation_fraction: float = 0.01  # of the documents of each source; of the curriculum so many more, held-out side
    total_bytes: int | None = None  # what the sources' shares are shares of
    steps: tuple[StepEntry, ...] = ("newlines", "nfc", "drop_empty", "exact_dedup")
    sources: tuple[Source, ...] = ()
    curriculum: Curriculum = Curriculum()

    def __post_init__(self) -> None:
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(f"validation_fraction must be at least 0 and below 1, found {self.validation_fraction}")
        if not self.sources and not self.curriculum.texts and not self.curriculum.exercises:
            raise ValueError("the corpus is empty: name a source, or set curriculum.documents")
        labels = [source.label for source in self.sources]
        if twice := {label for label in labels if labels.count(label) > 1}:
            raise ValueError(f"two sources are called {min(twice)!r}: give each a name")


@dataclass(frozen=True)
class SourceReport:
    """What one source gave: documents taken under its cap, kept per part, dropped per step and reason."""

    name: str
    path: str
    taken: int
    train: Amount  # each document once
    repeat: int  # how often each of them was written
    validation: Amount
    dropped: Mapping[str, int]
    ignored_files: tuple[str, ...]  # of no known type


@dataclass(frozen=True)
class CorpusReport:
    """What lies in the folder; train counts repeated documents as often as they are written."""

    train: Amount
    validation: Amount
    exercises_train: int
    exercises_validation: int
    sources: tuple[SourceReport, ...]
    steps: tuple[str, ...]  # their names, in order


def build(config: CorpusConfig, folder: Path, progress: Progress = silent) -> CorpusReport:
    """Write the corpus into `folder`, which appears only when it is whole. The same config gives the same bytes.

    Raises CorpusError (the reader's, or an empty source or part), ValueError for an unknown step, OSError.
    """
    with whole_folder(folder) as unfinished:
        sources = _write_documents(config, unfinished, progress)
        train, validation = _write_exercises(config, unfinished, progress)
        report = CorpusReport(
            sum((source.train * source.repeat for source in sources), Amount()),
            sum((source.validation for source in sources), Amount()),
            train,
            validation,
            sources,
            tuple(map(step_name, config.steps)),
        )
        _check(config, report)
        text = json.dumps(to_mapping(report), ensure_ascii=False, indent=1)
        write_whole(unfinished / "report.json", text + "\n")
    return report


def _write_documents(config: CorpusConfig, folder: Path, progress: Progress) -> tuple[SourceReport, ...]:
    steps = make_steps(config.steps)
    with ExitStack() as files:
        train, validation, rejects = (
            files.enter_context(JsonLines(folder / f"{name}.jsonl.zst")) for name in ("train", "validation", "rejects")
        )
        mill = _Mill(train, validation, Ledger(rejects), progress)
        reports = [mill.source(source, config, steps) for source in config.sources]
        if config.curriculum.texts:
            reports.append(mill.curriculum(config))
    return tuple(reports)


class _Mill:
    """Takes one source after the other through its steps into the files."""

    def __init__(self, train: JsonLines, validation: JsonLines, ledger: Ledger, progress: Progress) -> None:
        self._files: Mapping[Part, JsonLines] = {"train": train, "validation": validation}
        self._ledger = ledger
        self._progress = progress

    def source(self, source: Source, config: CorpusConfig, steps: list[NamedStep]) -> SourceReport:
        taken = itertools.count()
        unreadable = rejecter(self._ledger.reject, "read")
        documents = _counted(mixed(source, config.total_bytes, config.seed, unreadable), taken)
        documents = chained(steps, documents, self._ledger.reject)
        parted = ((part_of(one.text, config.validation_fraction, config.seed), one) for one in documents)
        train, validation = self._write(parted, source.label, source.repeat)
        ignored = () if source.is_hub else tuple(map(str, files_of(source.path).ignored))
        return SourceReport(
            source.label,
            source.path,
            next(taken),
            train,
            source.repeat,
            validation,
            self._ledger.take_counts(),
            ignored,
        )

    def curriculum(self, config: CorpusConfig) -> SourceReport:
        """Past the steps: generated text is clean, and its repeats in small families are meant."""
        given = itertools.count()
        train, validation = self._write(
            itertools.chain(
                (("train", one) for one in _counted(_generated(config, "train"), given)),
                (("validation", one) for one in _counted(_generated(config, "held_out"), given)),
            ),
            "curriculum",
        )
        return SourceReport("curriculum", "", next(given), train, 1, validation, {}, ())

    def _write(self, parted: Iterator[tuple[Part, Document]], name: str, repeat: int = 1) -> tuple[Amount, Amount]:
        amounts: dict[Part, Amount] = {"train": Amount(), "validation": Amount()}
        for count, (part, document) in enumerate(parted):
            if count % _PROGRESS_EVERY == 0:
                self._progress(name, count)
            for _ in range(repeat if part == "train" else 1):
                self._files[part].write(document.to_json())
            amounts[part] += Amount.of(document.text)
        self._progress(name, amounts["train"].documents + amounts["validation"].documents)
        return amounts["train"], amounts["validation"]


def _counted(documents: Iterator[Document], counter: "itertools.count[int]") -> Iterator[Document]:
    for document in documents:
        next(counter)
        yield document


def _generated(config: CorpusConfig, side: Side) -> Iterator[Document]:
    wanted = config.curriculum
    parts = (wanted.documents, wanted.narratives)
    documents, passages = parts if side == "train" else (_held_out(count, config) for count in parts)
    drawn = exercises(config.seed, side, wanted.weights or None)
    for number, exercise in enumerate(itertools.islice(drawn, documents), start=1):
        yield Document(as_text(exercise), f"{side}:{number}", f"curriculum/{exercise.family}")
    for number, text in enumerate(itertools.islice(narratives(config.seed, side), passages), start=1):
        yield Document(text, f"{side}:narrative:{number}", "curriculum/narrative")


def _write_exercises(config: CorpusConfig, folder: Path, progress: Progress) -> tuple[int, int]:
    """One seed further than the documents': the two share no run of exercises."""
    wanted = config.curriculum.exercises
    if not wanted:
        return 0, 0
    written = []
    for part, side, count in (("train", "train", wanted), ("validation", "held_out", _held_out(wanted, config))):
        drawn = exercises(config.seed + 1, cast(Side, side), config.curriculum.weights or None)
        written.append(write_exercises(itertools.islice(drawn, count), folder / f"exercises_{part}.jsonl.zst"))
        progress(f"exercises_{part}", written[-1])
    return written[0], written[1]


def _held_out(count: int, config: CorpusConfig) -> int:
    return math.ceil(count * config.validation_fraction)


def _check(config: CorpusConfig, report: CorpusReport) -> None:
    for source in report.sources:
        if not source.train.documents + source.validation.documents:
            why = ", ".join(f"{reason} ({count})" for reason, count in source.dropped.items())
            what = f"dropped: {why}" if source.taken else "none was read; look at max_bytes, share and only"
            raise CorpusError(f"source {source.name} ({source.path}) gave no document: {what}")
    parts = (("training", report.train), ("validation", report.validation))
    for name, amount in parts[: 2 if config.validation_fraction else 1]:
        if report.sources and not amount.documents:
            total = report.train.documents + report.validation.documents
            raise CorpusError(
                f"no {name} document: {total} documents at validation_fraction {config.validation_fraction}"
            )
