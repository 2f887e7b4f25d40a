"""Contenders of a benchmark: processes that keep what they measure and time one piece of work when they are asked.

The parent asks them in turn, so that all see the same neighbours on a shared machine. Who is not asked is stopped:
threads that spin while they wait for work would slow the others.
"""

from __future__ import annotations

import ctypes.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

READY, SECONDS = "contender ready", "contender seconds"


def serve(work: Callable[[str], Callable[[], object]]) -> None:
    """The contender's side: say that it is ready, then answer every line with the seconds that `work(line)()` took.

    `work` prepares what is not to be timed.
    """
    print(READY, flush=True)
    for line in sys.stdin:
        step = work(line.strip())
        began = time.perf_counter()
        step()
        print(SECONDS, time.perf_counter() - began, flush=True)


class Contender:
    """The parent's side of one process and its children.

    `preload` are libraries to load first, `tcmalloc` adds that allocator where it is installed. What the process says
    on stderr goes to `log`, if given. SystemExit when it ends before it was asked to.
    """

    def __init__(
        self,
        command: Sequence[str],
        threads: int,
        tcmalloc: bool = False,
        *,
        environment: Mapping[str, str] | None = None,
        preload: Sequence[str] = (),
        log: Path | None = None,
    ) -> None:
        self._command, self._log = list(command), log
        allocator = ctypes.util.find_library("tcmalloc_minimal") if tcmalloc else None
        libraries = [*([allocator] if allocator else []), *preload]
        settings = {"OMP_NUM_THREADS": str(threads), "OMP_PROC_BIND": "true", **(environment or {})}
        if libraries:
            settings["LD_PRELOAD"] = ":".join(libraries)
        self._child = self._start({**os.environ, **settings})
        self._answer(READY)
        self._signal(signal.SIGSTOP)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def ask(self, line: str) -> float:
        """Seconds of one piece of work."""
        assert self._child.stdin is not None
        self._signal(signal.SIGCONT)
        with suppress(BrokenPipeError):  # it is gone: the answer that does not come says so
            self._child.stdin.write(f"{line}\n")
            self._child.stdin.flush()
        seconds = float(self._answer(SECONDS))
        self._signal(signal.SIGSTOP)
        return seconds

    def close(self) -> None:
        """Ends the process and its children."""
        if self._child.poll() is None:
            self._signal(signal.SIGKILL)
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _start(self, environment: Mapping[str, str]) -> subprocess.Popen[str]:
        """In a group of its own, to be stopped as a whole: if this process dies, the system ends a stopped group."""
        stderr: IO[str] | None = self._log.open("w", encoding="utf-8") if self._log else None
        try:
            return subprocess.Popen(
                self._command,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                process_group=0,
            )
        finally:
            if stderr:
                stderr.close()

    def _answer(self, kind: str) -> str:
        """The next line of this kind, without its beginning; libraries print others."""
        assert self._child.stdout is not None
        for line in self._child.stdout:
            if line.startswith(kind):
                return line.removeprefix(kind).strip()
        self.close()
        where = f"; see {self._log}" if self._log else ""
        raise SystemExit(f"{' '.join(self._command)} ended with {self._child.returncode}{where}")

    def _signal(self, number: signal.Signals) -> None:
        os.killpg(self._child.pid, number)


def exit_when_terminated() -> None:
    """SIGTERM ends this process as an error does, so that contenders in `with` statements are ended too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def rounds(contenders: Mapping[str, Contender], line: str, count: int) -> dict[str, list[float]]:
    """The seconds of `count` rounds in which every contender is asked the same, in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(count):
        for name, contender in contenders.items():
            seconds[name].append(contender.ask(line))
    return seconds
