"""Contenders of a benchmark: processes that keep what they measure and time one piece of work when they are asked.

The parent asks them in turn, so that all see the same neighbours on a shared machine.
"""

from __future__ import annotations

import ctypes.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence


def serve(work: Callable[[str], Callable[[], object]]) -> None:
    """The contender's side: say "ready", then answer every line with the seconds that `work(line)()` took.

    `work` prepares what is not to be timed.
    """
    print("ready", flush=True)
    for line in sys.stdin:
        step = work(line.strip())
        began = time.perf_counter()
        step()
        print(time.perf_counter() - began, flush=True)


class Contender:
    """The parent's side of one process."""

    def __init__(self, command: Sequence[str], threads: int, tcmalloc: bool = False) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_PROC_BIND": "true"}
        allocator = ctypes.util.find_library("tcmalloc_minimal")
        if tcmalloc and allocator:
            environment["LD_PRELOAD"] = allocator
        self._child = subprocess.Popen(
            list(command), env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._child.stdout is not None
        if self._child.stdout.readline().strip() != "ready":
            raise SystemExit(f"{' '.join(command)} did not start")

    def ask(self, line: str) -> float:
        """Seconds of one piece of work."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(f"{line}\n")
        self._child.stdin.flush()
        return float(self._child.stdout.readline())

    def close(self) -> None:
        self._child.terminate()
        self._child.wait()


def rounds(contenders: Mapping[str, Contender], line: str, count: int) -> dict[str, list[float]]:
    """The seconds of `count` rounds in which every contender is asked the same, in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(count):
        for name, contender in contenders.items():
            seconds[name].append(contender.ask(line))
    return seconds
