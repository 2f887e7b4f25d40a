"""The learning rate over the steps: warm-up, stable, decay (WSD)."""

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["Schedule", "wsd"]

Decay = Literal["linear", "1-sqrt"]


@dataclass(frozen=True)
class Schedule:
    """Shares of the whole run: `warmup` rises from 0, `decay` falls to `final` (a factor of the peak rate)."""

    warmup: float = 0.02
    decay: float = 0.2
    shape: Decay = "1-sqrt"
    final: float = 0.0

    def __post_init__(self) -> None:
        if self.warmup < 0 or self.decay < 0 or self.warmup + self.decay > 1:
            raise ValueError(
                f"warmup {self.warmup} and decay {self.decay} are shares of the run: 0 or more, together at most 1"
            )
        if not 0 <= self.final <= 1:
            raise ValueError(f"final {self.final} is a factor of the peak learning rate: from 0 to 1")

    def factor(self, step: int, total: int) -> float:
        """The factor on the peak learning rate in step `step` (0-based) of `total`."""
        return wsd(step, total, round(self.warmup * total), round(self.decay * total), self.shape, self.final)


def wsd(step: int, total: int, warmup: int, decay: int, shape: Decay = "1-sqrt", final: float = 0.0) -> float:
    """The factor in step `step` (0-based) of `total`, with `warmup` and `decay` in steps.

    Warm-up ends at factor 1 in its last step; the decay begins at 1 and would reach `final` one step after the end,
    so that the last step still learns. WSD: Hu et al. 2024 (MiniCPM, arXiv 2404.06395, section 4);
    1 - sqrt cool-down: Hägele et al. 2024 (arXiv 2405.18392, section 3).
    """
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - (total - decay)) / decay if decay else 0.0
    if progress <= 0:
        return 1.0
    progress = min(progress, 1.0)
    left = 1 - (math.sqrt(progress) if shape == "1-sqrt" else progress)
    return final + (1 - final) * left
