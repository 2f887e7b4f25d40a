"""What a synthesis did, per task: documents, reasons, requests, tokens and money."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axk1.config import from_mapping, to_mapping
from axk1.corpus.synthesis.budget import Amount

__all__ = ["SynthesisReport", "TaskCount", "TaskReport", "read_report"]


@dataclass
class TaskCount:
    """Counted while the outcomes come in."""

    items: int = 0
    unfinished: int = 0
    candidates: int = 0
    kept: int = 0
    characters: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    used: Amount = field(default_factory=Amount)
    models: Counter[str] = field(default_factory=Counter)

    def report(self, name: str, template: str) -> "TaskReport":
        """As they go into the report; reasons begin with the task, as elsewhere with the step."""
        dropped = {f"{name}: {reason}": number for reason, number in self.dropped.most_common()}
        acceptance = round(self.kept / self.candidates, 4) if self.candidates else 0.0
        models = tuple(sorted(self.models))
        return TaskReport(
            name, template, models, self.items, self.unfinished, self.candidates, self.kept, self.characters,
            acceptance, dropped, self.used,
        )  # fmt: skip


@dataclass(frozen=True)
class TaskReport:
    """unfinished: items for which the budget did not last. acceptance: of the candidates, those that are kept.

    used: by the answers that this result was made from, at the recipe's prices.
    """

    source: str
    template: str
    models: tuple[str, ...]
    items: int
    unfinished: int
    candidates: int
    kept: int
    characters: int
    acceptance: float
    dropped: dict[str, int]
    used: Amount


@dataclass(frozen=True)
class SynthesisReport:
    """report.json. `steps` and `sources` are read by a release as those of any corpus.

    limit: of the budget, by which this was stopped before the end; "" when it is finished. spent: by all answers in the
    folder.
    """

    steps: tuple[str, ...]
    sources: tuple[TaskReport, ...]
    spent: Amount
    output_terms: str
    limit: str = ""

    @property
    def kept(self) -> int:
        """Documents."""
        return sum(task.kept for task in self.sources)

    @property
    def candidates(self) -> int:
        """Kept and dropped."""
        return sum(task.candidates for task in self.sources)

    def to_json(self) -> dict[str, Any]:
        """As in the file."""
        return to_mapping(self)


def read_report(folder: Path) -> SynthesisReport:
    """FileNotFoundError, ConfigError."""
    path = folder / "report.json"
    return from_mapping(json.loads(path.read_text(encoding="utf-8")), SynthesisReport, str(path))
