"""What the contenders of the training benchmark have in common: the batch, and steps to warm up."""

from __future__ import annotations

from collections.abc import Callable

import contest

SEQ_LEN = 512
BATCH = {"nano": 8, "mini": 4}
WARM_UP = 3


def serve(step: Callable[[], None]) -> None:
    """Warm up, then time a step whenever asked."""
    for _ in range(WARM_UP):
        step()
    contest.serve(lambda _line: step)
