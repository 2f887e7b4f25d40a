"""What every step of a task did: documents and characters in and out, drops, samples, time.

A gate stands before the first step, between every two and after the last. Documents are counted where they pass, so a
step need not know that it is watched. The time of a step is what passes while the gate behind it waits for a document,
less what the gate before it waits meanwhile.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from axk1.corpus.documents import Document, Drop, Reject
from axk1.corpus.mix import utf8_length
from axk1.corpus.pipeline.samples import Outcome, Reservoir, Sample, priority, sample_of
from axk1.corpus.steps import NamedStep

__all__ = ["BETWEEN", "READ", "WRITE", "Flow", "Meter", "StepCount"]

READ, BETWEEN, WRITE = (
    "read",
    "between",
    "write",
)  # what is counted beside the steps: reading, the way from phase to phase

_REMEMBERED = 256  # documents inside a step; one that holds more back is counted, but its samples show no "before"


@dataclass(frozen=True, slots=True)
class Flow:
    """Documents that pass a place; bytes are of UTF-8."""

    documents: int = 0
    characters: int = 0
    bytes: int = 0

    def __add__(self, other: "Flow") -> "Flow":
        return Flow(self.documents + other.documents, self.characters + other.characters, self.bytes + other.bytes)


@dataclass(frozen=True)
class StepCount:
    """What a step did: `seconds` are of CPU time."""

    step: str
    taken: Flow = Flow()
    kept: Flow = Flow()
    changed: int = 0  # kept documents whose text is another one afterwards
    dropped: Mapping[str, int] = field(default_factory=dict)  # by reason
    seconds: float = 0.0

    def __add__(self, other: "StepCount") -> "StepCount":
        reasons = Counter(self.dropped) + Counter(other.dropped)
        return StepCount(
            self.step,
            self.taken + other.taken,
            self.kept + other.kept,
            self.changed + other.changed,
            dict(reasons.most_common()),
            self.seconds + other.seconds,
        )


class _Known(NamedTuple):
    """What the gates know of a document inside a step."""

    text: str
    bytes: int
    priority: int


class _Gate:
    """Counts what passes, and what the step before it, named `step`, did to it."""

    def __init__(self, step: str, meter: "Meter") -> None:
        self.step = step
        self.documents = self.characters = self.bytes = self.changed = 0
        self.waited = 0.0  # seconds, wall clock, for documents to arrive here
        self.dropped: Counter[str] = Counter()
        self.inside: dict[tuple[str, str], _Known] = {}  # documents between the gate before and this one
        self.next: _Gate | None = None
        self.watched = step not in (READ, BETWEEN)  # what only comes in is no step's doing
        self._meter = meter

    def pass_on(self, documents: Iterator[Document]) -> Iterator[Document]:
        """The documents, counted."""
        clock = time.perf_counter
        while True:
            began = clock()
            document = next(documents, None)
            self.waited += clock() - began
            if document is None:
                return
            self._count(document)
            yield document

    def reject(self, document: Document, reason: str) -> None:
        """Count a document that the step before this gate dropped."""
        known = self.inside.pop((document.source, document.id), None)
        self.dropped[reason] += 1
        rank = priority(document, self._meter.seed) if known is None else known.priority
        self._meter.offer(self.step, "dropped", reason, document.text, document, rank)

    def _count(self, document: Document) -> None:
        key = (document.source, document.id)
        known = self.inside.pop(key, None)
        before = document.text if known is None else known.text
        changed = before is not document.text and before != document.text
        size = known.bytes if known is not None and not changed else utf8_length(document.text)
        rank = priority(document, self._meter.seed) if known is None else known.priority
        self.documents += 1
        self.characters += len(document.text)
        self.bytes += size
        self.changed += changed
        if self.watched:
            self._meter.offer(self.step, "changed" if changed else "kept", "", before, document, rank)
        if self.next is not None:
            self.next.expect(key, _Known(document.text, size, rank))

    def expect(self, key: tuple[str, str], known: _Known) -> None:
        """A document is on its way into the step before this gate."""
        if len(self.inside) >= _REMEMBERED:
            del self.inside[next(iter(self.inside))]
        self.inside[key] = known

    def flow(self) -> Flow:
        """What passed."""
        return Flow(self.documents, self.characters, self.bytes)


class Meter:
    """Gates around the steps of one task. `read` is the name under which the first gate, the reader's, is counted."""

    def __init__(self, names: Sequence[str], seed: int, samples: int, read: str = READ) -> None:
        self.seed = seed
        self._size = samples
        self._gates = [_Gate(name, self) for name in (read, *names)]
        for gate, following in zip(self._gates, self._gates[1:], strict=False):
            gate.next = following
        self._reservoirs: dict[tuple[str, Outcome, str], Reservoir] = {}
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def through(self, steps: Sequence[NamedStep], documents: Iterator[Document], drop: Drop) -> Iterator[Document]:
        """The documents through the steps and the gates; the steps are those that the meter was made for."""
        documents = self._gates[0].pass_on(documents)
        for gate, (name, step) in zip(self._gates[1:], steps, strict=True):
            documents = gate.pass_on(step(documents, self._rejecter(gate, name, drop)))
        return documents

    def unreadable(self, document: Document, reason: str) -> None:
        """Count a record that the reader could not read."""
        self._gates[0].dropped[reason] += 1
        self.offer(self._gates[0].step, "dropped", reason, document.text, document, priority(document, self.seed))

    def offer(self, step: str, outcome: Outcome, reason: str, before: str, after: Document, rank: int) -> None:
        """Keep the document as a sample if it is among the chosen."""
        reservoir = self._reservoirs.get((step, outcome, reason))
        if reservoir is None:
            reservoir = self._reservoirs[step, outcome, reason] = Reservoir(self._size)
        if rank < reservoir.highest:
            reservoir.add(sample_of(step, outcome, reason, before, after, rank))

    def samples(self) -> Iterator[Sample]:
        """Those of every step, outcome and reason."""
        for key in sorted(self._reservoirs):
            yield from self._reservoirs[key]

    def counts(self) -> list[StepCount]:
        """The reader's, the steps' and the writer's. CPU time is shared out as the clock on the wall was."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        scale = cpu / wall if wall else 0.0
        counts, before = list[StepCount](), Flow()
        waited = 0.0
        for gate in self._gates:
            seconds = scale * (gate.waited - waited)
            counts.append(StepCount(gate.step, before, gate.flow(), gate.changed, dict(gate.dropped), seconds))
            before, waited = gate.flow(), gate.waited
        return [*counts, StepCount(WRITE, before, before, seconds=scale * (wall - waited))]

    def wall_seconds(self) -> float:
        """Since the meter was made."""
        return time.perf_counter() - self._wall

    def _rejecter(self, gate: _Gate, name: str, drop: Drop) -> Reject:
        def reject(document: Document, reason: str) -> None:
            gate.reject(document, reason)
            drop(document, name, reason)

        return reject
