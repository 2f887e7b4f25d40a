"""Builds the C kernels of `kernels/` with the machine's own compiler at first use and calls them through ctypes.

The library is kept in the user's cache folder under a name that changes with the sources, the flags and the CPU, so a
second process starts at once and an upgrade never runs stale code. Where there is no C compiler, `load` says so once
and the plain torch operators take over.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor

# -ffast-math without the parts that would hide a NaN or an infinity from the caller.
FLAGS = (
    *("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC", "-std=gnu11"),
    *("-fno-math-errno", "-fno-trapping-math", "-fassociative-math", "-fno-signed-zeros", "-freciprocal-math"),
)
KINDS = {torch.float32: 0, torch.bfloat16: 1}


class NativeUnavailableError(RuntimeError):
    """The kernels cannot be built on this machine; the message says why."""


def kind(tensor: Tensor) -> int:
    """The kernels' code for the element type: 0 float32, 1 bfloat16."""
    return KINDS[tensor.dtype]


def pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    """Address of a contiguous tensor's first element (NULL for None)."""
    assert tensor is None or tensor.is_contiguous()
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


@cache
def load() -> ctypes.CDLL:
    """The kernels, built if need be (about two seconds, once per machine).

    Raises:
        NativeUnavailableError: no compiler, or the compiler refused; with the reason.
    """
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NativeUnavailableError("no C compiler found (install gcc for training two to three times faster)")
    library = _cache_folder() / f"train-{_fingerprint(compiler)}.so"
    if not library.exists():
        _build(compiler, library)
    # torch has loaded its OpenMP by now, and the soname makes ours the same one: one thread pool, not two.
    return _declare(ctypes.CDLL(str(library)))


def available() -> bool:
    """Whether `load` works here; the reason why not is in the error that it raises."""
    try:
        load()
    except NativeUnavailableError:
        return False
    return True


def _sources() -> list[tuple[str, bytes]]:
    folder = resources.files("axk1.model").joinpath("kernels")
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith((".c", ".h")))
    return [(name, folder.joinpath(name).read_bytes()) for name in names]


def _fingerprint(compiler: str) -> str:
    digest = hashlib.sha256(repr((_sources(), FLAGS, _cpu(), _version(compiler))).encode())
    return digest.hexdigest()[:16]


def _cpu() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n")
    except OSError:
        return platform.processor() or platform.machine()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.machine())


def _version(compiler: str) -> str:
    shown = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    return shown.stdout.partition("\n")[0]


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "axk1"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _build(compiler: str, library: Path) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        for name, text in _sources():
            (Path(scratch) / name).write_bytes(text)
        units = [str(Path(scratch) / name) for name, _ in _sources() if name.endswith(".c")]
        built = Path(scratch) / "train.so"
        run = subprocess.run(
            [compiler, *FLAGS, *units, "-o", str(built), "-lm"], capture_output=True, text=True, check=False
        )
        if run.returncode:
            raise NativeUnavailableError(f"{compiler} could not build the kernels: {run.stderr.strip()[-300:]}")
        built.replace(library)  # atomic: two processes that build at once leave one whole file


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    library.axk1_sum_of_squares.restype = ctypes.c_double
    library.axk1_threads.restype = ctypes.c_int
    return library
