"""How much quantising changed: the relative error of each part of a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from axk1.export.quantize_formats import PARTS, Formats, format_name


@dataclass
class PartError:
    """Sums over the weights of one part. `worst` is the weight of the largest relative error."""

    tensors: int = 0
    weights: int = 0
    stored_bytes: int = 0
    squared_error: float = 0.0
    squared_weight: float = 0.0
    worst: tuple[float, str] = (0.0, "")

    @property
    def relative_error(self) -> float:
        """sqrt(sum (w - w')^2 / sum w^2)."""
        return _relative(self.squared_error, self.squared_weight)

    @property
    def bits(self) -> float:
        """Stored bits a weight, scales and zero points included."""
        return 8 * self.stored_bytes / max(self.weights, 1)


@dataclass
class Report:
    """What was quantised, by part; `kept_bytes` is the size of everything else."""

    formats: Formats
    calibrated: bool = False
    kept_bytes: int = 0
    parts: dict[str, PartError] = field(default_factory=dict)

    def add(self, part: str, name: str, weights: int, stored_bytes: int, error: float, weight: float) -> None:
        """One quantised weight: its size and its sums of (w - w')^2 and w^2."""
        found = self.parts.setdefault(part, PartError())
        found.tensors += 1
        found.weights += weights
        found.stored_bytes += stored_bytes
        found.squared_error += error
        found.squared_weight += weight
        found.worst = max(found.worst, (_relative(error, weight), name))

    def to_json(self) -> Mapping[str, Any]:
        """What `quantization_report.json` holds."""
        parts = {
            part: {
                "format": format_name(self.formats.of(part)),
                "tensors": found.tensors,
                "weights": found.weights,
                "stored_bytes": found.stored_bytes,
                "bits_per_weight": round(found.bits, 4),
                "relative_error": found.relative_error,
                "worst": {"weight": found.worst[1], "relative_error": found.worst[0]},
            }
            for part in PARTS
            if (found := self.parts.get(part))
        }
        return {"calibrated": self.calibrated, "kept_bytes": self.kept_bytes, "parts": parts}


def _relative(error: float, weight: float) -> float:
    return math.sqrt(error / weight) if weight else 0.0
