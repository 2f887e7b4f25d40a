"""Where the outcomes go: parts, rejects, exercises and samples, written whole, and the counts."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from axk1.corpus.documents import Document, JsonLines
from axk1.corpus.exercise import Exercise
from axk1.corpus.exercise_file import to_mapping
from axk1.corpus.pipeline.samples import Outcome as Fate
from axk1.corpus.pipeline.samples import Reservoir, Sample, priority, read_samples, sample_of, write_samples
from axk1.corpus.synthesis.report import TaskCount
from axk1.corpus.synthesis.writing import Made, Outcome
from axk1.runs import whole_file, whole_folder

__all__ = ["Shelf", "is_made", "made_samples"]

_PART_DOCUMENTS = 10_000
_SAMPLES = "0-00000.jsonl.zst"


def is_made(folder: Path) -> bool:
    """Whether a synthesis wrote the folder."""
    return (folder / "answers.jsonl").exists()


def made_samples(folder: Path) -> list[Sample]:
    """Of every task and reason. FileNotFoundError where none are written yet."""
    return list(read_samples(folder / "samples" / _SAMPLES))


class Shelf:
    """Open while outcomes come in, in their order; what it leaves is a function of them alone. On an error: nothing."""

    def __init__(self, folder: Path, seed: int, samples: int) -> None:
        self.counts: defaultdict[str, TaskCount] = defaultdict(TaskCount)
        self._folder, self._seed, self._size = folder, seed, samples
        self._reservoirs: dict[tuple[str, Fate, str], Reservoir] = {}
        self._waiting: dict[str, Exercise] = {}
        self._kept = 0

    def __enter__(self) -> Self:
        self._files = ExitStack().__enter__()
        whole = self._files.enter_context
        self._parts = whole(whole_folder(self._folder / "parts"))
        self._samples = whole(whole_folder(self._folder / "samples"))
        self._rejects = whole(JsonLines(whole(whole_file(self._folder / "rejects.jsonl.zst"))))
        self._exercises = whole(JsonLines(whole(whole_file(self._folder / "exercises.jsonl.zst"))))
        self._part: JsonLines | None = None
        return self

    def __exit__(self, *error: object) -> None:
        if self._part is not None:
            self._part.__exit__(*error)  # type: ignore[arg-type]
        if error[0] is None:
            write_samples(self._chosen(), self._samples / _SAMPLES)
        self._files.__exit__(*error)  # type: ignore[arg-type]

    def candidates(self, outcome: Outcome) -> Iterator[Document]:
        """Count the outcome; its rejects are shelved, the documents that may be kept are given on."""
        count = self.counts[outcome.item.task.name]
        count.items += 1
        count.unfinished += bool(outcome.limit)
        count.used += outcome.used
        for made in () if outcome.limit else outcome.made:
            yield from self._sorted(made, count)

    def drop(self, document: Document, reason: str) -> None:
        """Shelve a reject with its reason."""
        self._waiting.pop(document.id, None)
        self.counts[document.source].dropped[reason] += 1
        self._rejects.write({"why": f"{document.source}: {reason}", **document.to_json()})
        self._offer(document, "dropped", reason)

    def keep(self, document: Document) -> None:
        """Shelve a document."""
        if self._part is None or self._part.written == _PART_DOCUMENTS:
            if self._part is not None:
                self._part.close()
            number = self._kept // _PART_DOCUMENTS
            self._part = JsonLines(self._parts / f"part-{number:05d}.jsonl.zst")
        self._part.write(document.to_json())
        self._kept += 1
        count = self.counts[document.source]
        count.kept += 1
        count.characters += len(document.text)
        if exercise := self._waiting.pop(document.id, None):
            self._exercises.write(to_mapping(exercise))
        self._offer(document, "kept", "")

    def _sorted(self, made: Made, count: TaskCount) -> Iterator[Document]:
        count.candidates += 1
        if model := made.document.metadata.get("model"):
            count.models[str(model)] += 1
        if made.reason:
            self.drop(made.document, made.reason)
            return
        if made.exercise is not None:
            self._waiting[made.document.id] = made.exercise
        yield made.document

    def _offer(self, document: Document, outcome: Fate, reason: str) -> None:
        reservoir = self._reservoirs.setdefault((document.source, outcome, reason), Reservoir(self._size))
        rank = priority(document, self._seed)
        if rank < reservoir.highest:
            reservoir.add(sample_of(document.source, outcome, reason, document.text, document, rank))

    def _chosen(self) -> Iterator[Sample]:
        reservoirs: Mapping[tuple[str, Fate, str], Reservoir] = self._reservoirs
        for key in sorted(reservoirs):
            yield from reservoirs[key]
