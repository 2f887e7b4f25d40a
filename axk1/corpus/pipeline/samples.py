"""Documents to look at: of each step some that it kept, changed or dropped, chosen by a hash of their id.

The lowest hashes are a uniform sample that does not depend on how the documents were shared out among tasks, and the
samples of many tasks merge into the sample of all.
"""

import heapq
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, get_args

from axk1.config import from_mapping, to_mapping
from axk1.corpus.documents import Document, JsonLines, Metadata
from axk1.corpus.streams import CorpusError, lines_of

__all__ = [
    "OUTCOMES",
    "Outcome",
    "Reservoir",
    "Sample",
    "first_difference",
    "merged",
    "priority",
    "read_samples",
    "sample_of",
    "write_samples",
]

Outcome = Literal["kept", "changed", "dropped"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

EXCERPT = 1500  # characters of a text that are kept to be read
_CONTEXT = 200  # of them before the first difference
_HIGHEST = 1 << 64


@dataclass(frozen=True)
class Sample:
    """A document at a step: an excerpt of its text before and, where the step changed it, after."""

    step: str
    outcome: Outcome
    reason: str  # of "dropped"
    source: str
    id: str
    characters: int  # of the whole text before the step
    start: int  # the character at which the excerpts begin
    before: str
    after: str = ""
    metadata: Metadata = field(default_factory=dict)  # as the step left it
    priority: int = 0


def priority(document: Document, seed: int) -> int:
    """Uniform over documents, 0 to 2^64 - 1; the lowest are in a sample."""
    key = f"{seed}\0{document.source}\0{document.id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "little")


class Reservoir:
    """The `size` samples of lowest priority; a document of a priority below `highest` may enter."""

    def __init__(self, size: int) -> None:
        self.highest = _HIGHEST if size else -1
        self._size = size
        self._heap: list[tuple[int, int, Sample]] = []  # the negated priority, then a number that settles ties
        self._count = 0

    def add(self, sample: Sample) -> None:
        """Take it in, and the one of highest priority out when there are too many."""
        self._count += 1
        heapq.heappush(self._heap, (-sample.priority, self._count, sample))
        if len(self._heap) > self._size:
            heapq.heappop(self._heap)
        if len(self._heap) == self._size:
            self.highest = -self._heap[0][0]

    def __iter__(self) -> Iterator[Sample]:
        return iter(sorted((sample for _, _, sample in self._heap), key=lambda sample: sample.priority))


def sample_of(step: str, outcome: Outcome, reason: str, before: str, after: Document, rank: int) -> Sample:
    """Excerpts: from the beginning, or around the first difference."""
    changed = before != after.text
    start = max(0, first_difference(before, after.text) - _CONTEXT) if changed else 0
    return Sample(
        step,
        outcome,
        reason,
        after.source,
        after.id,
        len(before),
        start,
        before[start : start + EXCERPT],
        after.text[start : start + EXCERPT] if changed else "",
        after.metadata,
        rank,
    )


def merged(samples: Iterable[Sample], size: int) -> list[Sample]:
    """Of each step, outcome and reason the `size` samples of lowest priority, in the order of their first sight."""
    reservoirs: dict[tuple[str, str, str], Reservoir] = {}
    for sample in samples:
        reservoir = reservoirs.setdefault((sample.step, sample.outcome, sample.reason), Reservoir(size))
        if sample.priority < reservoir.highest:
            reservoir.add(sample)
    return [sample for reservoir in reservoirs.values() for sample in reservoir]


def write_samples(samples: Iterable[Sample], path: Path) -> None:
    """A line of JSON each."""
    with JsonLines(path) as file:
        for sample in samples:
            file.write(to_mapping(sample))


def read_samples(path: Path) -> Iterator[Sample]:
    """What `write_samples` wrote. CorpusError for a damaged file."""
    for line in lines_of(path):
        try:
            values: Any = json.loads(line.data)
            yield from_mapping(values, Sample)
        except ValueError as error:
            raise CorpusError(f"{path}:{line.number}: no sample ({error})") from error


def first_difference(one: str, other: str) -> int:
    """The first place at which the texts differ, by halving: slices compare faster than characters one by one."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low
