"""What was done to a corpus, as its own report tells it, without the paths of the machine that did it."""

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["Provenance"]


@dataclass(frozen=True)
class Provenance:
    """steps: their names, in order. dropped: documents by "step: reason"."""

    steps: tuple[str, ...]
    dropped: dict[str, int]

    @classmethod
    def read(cls, corpus: Path) -> "Provenance":
        """From the report.json of a corpus folder; empty when there is none."""
        file = corpus / "report.json"
        report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        dropped: dict[str, int] = {}
        for source in report.get("sources", []):
            for reason, count in source["dropped"].items():
                dropped[reason] = dropped.get(reason, 0) + count
        return cls(tuple(report.get("steps", [])), dict(sorted(dropped.items(), key=lambda item: -item[1])))

    def to_json(self) -> dict[str, Any]:
        """As in provenance.json."""
        return {"made_by": f"axk1 {version('axk1')}", "steps": self.steps, "dropped": self.dropped}
