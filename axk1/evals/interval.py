"""How sure a share is that was counted on a few questions."""

import math
from dataclasses import dataclass

__all__ = ["Share"]

_Z = 1.959963984540054  # 97.5 % of a normal distribution lie below: an interval of 95 %


@dataclass(frozen=True)
class Share:
    """`right` of `total` questions."""

    right: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.right <= self.total or not self.total:
            raise ValueError(f"{self.right} right of {self.total} is no share")

    @property
    def value(self) -> float:
        """From 0 to 1."""
        return self.right / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Where the share on endless questions lies, with 95 % confidence (Wilson 1927, the score interval).

        Unlike value ± 2 deviations it stays within 0 to 1 and is not empty when all answers or none are right.
        """
        square = _Z * _Z / self.total
        centre = (self.value + square / 2) / (1 + square)
        variance = self.value * (1 - self.value) / self.total + square / (4 * self.total)
        reach = _Z * math.sqrt(variance) / (1 + square)
        return max(0.0, min(self.value, centre - reach)), min(1.0, max(self.value, centre + reach))
