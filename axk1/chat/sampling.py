"""How the next token is chosen."""

import math
from dataclasses import dataclass

__all__ = ["GREEDY", "SamplingParams"]


@dataclass(frozen=True)
class SamplingParams:
    """Temperature 0 always takes the likeliest token; top_p keeps the likeliest tokens that sum to that probability.

    The defaults are those of A.X K1's own example (model card, `examples/transformers`).
    """

    temperature: float = 0.6
    top_p: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"temperature must be 0 or more, not {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}")


GREEDY = SamplingParams(temperature=0.0, top_p=1.0)
