"""Steps → phases. Scope "document": every task works on its own part. Scope "corpus": one task sees all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from axk1.corpus.documents import Scope
from axk1.corpus.steps import StepEntry, scope_of, step_name

__all__ = ["Phase", "phases_of"]


@dataclass(frozen=True)
class Phase:
    """Neighbouring steps of one scope, each with its name in reports, which is unlike any other in the pipeline."""

    scope: Scope
    labels: tuple[str, ...] = ()
    entries: tuple[StepEntry, ...] = ()

    def tasks(self, parts: int) -> int:
        """How many tasks make the parts."""
        return parts if self.scope == "document" else 1

    def inputs(self, task: int, parts: int) -> range:
        """The parts that a task reads, in their order."""
        return range(task, task + 1) if self.scope == "document" else range(parts)


def phases_of(entries: Sequence[StepEntry]) -> list[Phase]:
    """The phases in their order. The first is of scope "document", if without a step: it reads the sources.

    ValueError for an unknown step.
    """
    phases = [Phase("document")]
    for label, entry in zip(_labels(entries), entries, strict=True):
        scope = scope_of(entry)
        if scope != phases[-1].scope:
            phases.append(Phase(scope))
        last = phases[-1]
        phases[-1] = Phase(scope, (*last.labels, label), (*last.entries, entry))
    return phases


def _labels(entries: Sequence[StepEntry]) -> list[str]:
    labels: list[str] = []
    for entry in entries:
        name = _label(entry)
        before = sum(label.partition("#")[0] == name for label in labels)
        labels.append(f"{name}#{before + 1}" if before else name)
    return labels


def _label(entry: StepEntry) -> str:
    """The plug-in's name; of a step that stands for a block of another library, the block's."""
    block = "" if isinstance(entry, str) else str(entry.get("block", ""))
    return block.rpartition(":")[2] or step_name(entry)
