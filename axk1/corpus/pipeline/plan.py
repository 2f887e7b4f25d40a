"""Inputs → tasks: which files, or records of a large file, each reads. The tasks together keep the inputs' order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from axk1.corpus.documents import Document, Reject
from axk1.corpus.mix import Sample, cap_of, sample_within
from axk1.corpus.pipeline.settings import PipelineConfig
from axk1.corpus.readers import count_records, read, read_file
from axk1.corpus.source import Source, files_of
from axk1.corpus.streams import CorpusError

__all__ = ["Input", "Piece", "Plan", "check_unchanged", "make_plan", "read_pieces"]


@dataclass(frozen=True)
class Input:
    """A file of a source as it was when the plan was made; path "" is a Hugging Face dataset as a whole."""

    source: int
    path: str = ""
    root: str = ""
    bytes: int = 0  # as it lies on disk


@dataclass(frozen=True)
class Piece:
    """The records `first` to before `end` (none: the last) of an input."""

    input: int
    first: int = 0
    end: int | None = None


@dataclass(frozen=True)
class Plan:
    """What every task reads, and of each source, how many classes of texts are in its sample (none: all)."""

    inputs: tuple[Input, ...]
    tasks: tuple[tuple[Piece, ...], ...]
    samples: tuple[int | None, ...]
    ignored_files: tuple[str, ...]  # of no known type


def make_plan(config: PipelineConfig) -> Plan:
    """Read what must be known beforehand: sizes, the number of records of files to be cut, what fits under caps.

    Raises CorpusError, OSError, ValueError.
    """
    inputs, ignored = list[Input](), list[str]()
    for number, source in enumerate(config.sources):
        if source.is_hub:
            inputs.append(Input(number))
            continue
        files = files_of(source.path)
        ignored += map(str, files.ignored)
        inputs += (Input(number, str(file), str(files.root), file.stat().st_size) for file in files.known)
    samples = tuple(_classes(source, config) for source in config.sources)
    return Plan(tuple(inputs), _shared_out(inputs, config), samples, tuple(ignored))


def check_unchanged(plan: Plan) -> None:
    """CorpusError if a file is no longer as it was when the plan was made."""
    for one in plan.inputs:
        if one.path and (not Path(one.path).exists() or Path(one.path).stat().st_size != one.bytes):
            raise CorpusError(f"{one.path}: is no longer as it was when this was begun; choose another folder")


def read_pieces(pieces: Sequence[Piece], plan: Plan, config: PipelineConfig, reject: Reject) -> Iterator[Document]:
    """The documents of a task's share, in their order. Raises CorpusError, OSError."""
    for piece in pieces:
        one = plan.inputs[piece.input]
        source, classes = config.sources[one.source], plan.samples[one.source]
        if one.path:
            documents = read_file(Path(one.path), Path(one.root), source, reject, piece.first, piece.end)
        else:
            documents = read(source, reject)
        sample = None if classes is None else Sample(classes, config.seed)
        yield from (document for document in documents if sample is None or document.text in sample)


def _classes(source: Source, config: PipelineConfig) -> int | None:
    cap = cap_of(source, config.total_bytes)
    return (
        None if cap is None else sample_within(cap, read(source, lambda _document, _reason: None), config.seed).classes
    )


def _shared_out(inputs: Sequence[Input], config: PipelineConfig) -> tuple[tuple[Piece, ...], ...]:
    """Equal shares of the bytes, each a run of inputs in their order. A file across a border is cut between records."""
    total = sum(one.bytes for one in inputs)
    tasks: list[list[Piece]] = [[] for _ in range(config.tasks)]
    before = 0
    for number, one in enumerate(inputs):
        spans = _spans(before, before + one.bytes, total, config.tasks)
        before += one.bytes
        if len(spans) == 1:
            tasks[spans[0][0]].append(Piece(number))
            continue
        records = count_records(Path(one.path), config.sources[one.source])
        ends = [round(share * records) for _, share in spans]
        for (task, _), first, end in zip(spans, [0, *ends], ends, strict=False):
            if end > first:
                tasks[task].append(Piece(number, first, end))
    return tuple(map(tuple, tasks))


def _spans(start: int, end: int, total: int, tasks: int) -> list[tuple[int, float]]:
    """The tasks that bytes `start` to `end` belong to, each with the share (0 to 1) of the file at which it ends."""
    if start == end:
        return [(min(tasks * start // max(total, 1), tasks - 1), 1.0)]
    first, last = tasks * start // total, (tasks * end - 1) // total
    borders = [(task, ((task + 1) * total / tasks - start) / (end - start)) for task in range(first, last)]
    return [*borders, (last, 1.0)]
