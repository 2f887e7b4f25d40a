"""What was done to a corpus, as its own report tells it, without the paths of the machine that did it."""

import json
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["Provenance"]

_AROUND = ("read", "between", "write")  # what a pipeline counts beside its steps


@dataclass(frozen=True)
class Provenance:
    """steps: their names, in order. dropped: documents by "step: reason"."""

    steps: tuple[str, ...]
    dropped: dict[str, int]

    @classmethod
    def read(cls, corpus: Path) -> "Provenance":
        """From the report.json of a corpus folder, of a recipe's corpus or of a pipeline; empty when there is none."""
        file = corpus / "report.json"
        report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"steps": [], "sources": []}
        dropped = Counter[str]()
        if "sources" in report:
            steps = report["steps"]
            for source in report["sources"]:
                dropped.update(source["dropped"])
        else:
            counts = [step["count"] for step in report["steps"] if step["count"]["step"] not in _AROUND]
            steps = [count["step"] for count in counts]
            for count in counts:
                dropped.update({f"{count['step']}: {reason}": number for reason, number in count["dropped"].items()})
        return cls(tuple(steps), dict(dropped.most_common()))

    def to_json(self) -> dict[str, Any]:
        """As in provenance.json."""
        return {"made_by": f"axk1 {version('axk1')}", "steps": self.steps, "dropped": self.dropped}
