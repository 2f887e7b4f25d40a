"""A contender of the training benchmark: a process that keeps its model and times one step per line of input."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

SEQ_LEN = 512
BATCH = {"nano": 8, "mini": 4}
WARM_UP = 3


def serve(step: Callable[[], None]) -> None:
    """Say "ready" once warm, then answer every line with the seconds of one step."""
    for _ in range(WARM_UP):
        step()
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        step()
        print(time.perf_counter() - began, flush=True)
