"""What the reader makes of one folder, found out in a process of its own: a crash there is seen here."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from axk1.checkpoint import CheckpointError, CheckpointFolder
from axk1.engine.backend import Batch
from axk1.engine.native_backend import NativeBackend
from axk1.engine.reference import ReferenceBackend
from axk1.engine.stop import eos_ids

Kind = Literal["answered", "refused", "failed"]
SECONDS = 20.0
BYTES = 2 << 30
BACKENDS: tuple[Any, ...] = (NativeBackend, ReferenceBackend)
SANITIZED = "sanitize" in os.environ.get("AXK1_CXXFLAGS", "")  # a sanitizer maps terabytes, which no limit allows
TOKENS = np.array([0, 1, 2, 3, 4], np.int32)


@dataclass(frozen=True)
class Verdict:
    """`failed` is everything but an answer of finite numbers and a CheckpointError of one line."""

    kind: Kind
    message: str
    seconds: float = 0.0
    bytes: int = 0


def judge(folder: Path, open_: Callable[[Path, Any], None] | None = None, seconds: float = SECONDS) -> list[Verdict]:
    """A verdict for each back end."""
    return [_apart(lambda backend=backend: (open_ or answer)(folder, backend), seconds) for backend in BACKENDS]


def answer(path: Path, backend_of: Any) -> None:
    """Opens the folder and computes a few tokens. ArithmeticError when the answer is not finite."""
    folder = CheckpointFolder(path)
    eos_ids(folder)
    backend_of.cache_format(folder)
    backend = backend_of(folder, 4, 4, 2)
    tokens = TOKENS[: min(backend.config.vocab_size, len(TOKENS))]
    count, blocks = len(tokens), np.array([[2, 0]], np.int32)
    wanted = np.arange(count, dtype=np.int32)
    batch = Batch(tokens, np.array([0, count], np.int32), np.array([0], np.int32), blocks, wanted)
    logits = backend.logits(batch)
    backend.close()
    if logits.shape != (count, backend.config.vocab_size) or not np.isfinite(logits).all():
        raise ArithmeticError("the answer is not finite")


def _apart(work: Callable[[], None], seconds: float) -> Verdict:
    start = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(work, writing)
    os.close(writing)
    report = _report(reading, start + seconds)
    if report is None:
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    took, size = time.monotonic() - start, usage.ru_maxrss * 1024
    if report is None:
        return Verdict("failed", f"no end after {seconds} s", took, size)
    if not report:
        return Verdict("failed", f"ended with {_ending(status)}", took, size)
    found = json.loads(report)
    if size > BYTES and not SANITIZED:
        return Verdict("failed", f"took {size >> 20} MB; {found['message']}", took, size)
    return Verdict(found["kind"], found["message"], took, size)


def _child(work: Callable[[], None], writing: int) -> None:
    try:
        if not SANITIZED:
            mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (mapped + BYTES, mapped + BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        warnings.simplefilter("ignore")
        kind, message = _outcome(work)
        os.write(writing, json.dumps({"kind": kind, "message": message}).encode())
    finally:
        sys.stderr.flush()
        os._exit(0)


def _outcome(work: Callable[[], None]) -> tuple[Kind, str]:
    try:
        work()
    except CheckpointError as error:
        message = str(error)
        return ("refused", message) if message and "\n" not in message and len(message) < 1000 else ("failed", message)
    except BaseException as error:  # noqa: BLE001
        return "failed", f"{type(error).__name__}: {''.join(traceback.format_exc()[-1500:])}"
    return "answered", ""


def _report(reading: int, end: float) -> bytes | None:
    """What the child wrote before its end; None when time is over."""
    parts: list[bytes] = []
    try:
        while True:
            ready, _, _ = select.select([reading], [], [], max(end - time.monotonic(), 0))
            if not ready:
                return None
            part = os.read(reading, 65536)
            if not part:
                return b"".join(parts)
            parts.append(part)
    finally:
        os.close(reading)


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exit code {os.WEXITSTATUS(status)}"


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The one that says most: a failure before a refusal before an answer."""
    return max(verdicts, key=lambda one: ("answered", "refused", "failed").index(one.kind))
