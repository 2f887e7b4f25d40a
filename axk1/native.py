"""Builds C and C++ sources with the machine's own compiler at first use, and keeps the library for the next time.

The library lies in the user's cache folder under a name that changes with the sources, the flags, the compiler and the
CPU, so a second process starts at once and an upgrade never runs stale code.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources.abc import Traversable
from pathlib import Path

__all__ = ["NativeUnavailableError", "build", "compiler", "more_flags", "sources"]


_log = logging.getLogger(__name__)


class NativeUnavailableError(RuntimeError):
    """The kernels cannot be built on this machine; the message says why."""


def compiler(variable: str, *names: str) -> str:
    """The compiler that the environment variable names, or the first of `names` that is there."""
    found = os.environ.get(variable) or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise NativeUnavailableError(f"no compiler found: install {names[0]}")
    return found


def more_flags(variable: str) -> list[str]:
    """The compiler flags that an environment variable adds, such as a sanitizer's; written as in a shell."""
    return shlex.split(os.environ.get(variable, ""))


def sources(folder: Traversable, *suffixes: str) -> dict[str, bytes]:
    """The files below a folder that end in one of `suffixes`, by their path from there, in order."""
    found = dict(_below(folder, "", suffixes))
    return {name: found[name] for name in sorted(found)}


def _below(folder: Traversable, prefix: str, suffixes: tuple[str, ...]) -> list[tuple[str, bytes]]:
    files = []
    for item in folder.iterdir():
        if item.is_dir():
            files += _below(item, f"{prefix}{item.name}/", suffixes)
        elif item.name.endswith(suffixes):
            files.append((prefix + item.name, item.read_bytes()))
    return files


def build(name: str, files: Mapping[str, bytes], command: Sequence[str], units: Sequence[str]) -> Path:
    """The shared library that `command` (compiler and flags) makes of `units`, paths among `files`; built if need be.

    Raises NativeUnavailableError with the compiler's complaint.
    """
    library = _cache_folder() / f"{name}-{_fingerprint(files, command)}.so"
    if not library.exists():
        _log.info("building %s: it takes some seconds, once on this machine", name)
        _compile(library, files, command, units)
    return library


def _fingerprint(files: Mapping[str, bytes], command: Sequence[str]) -> str:
    parts = (sorted(files.items()), list(command), _cpu(), _version(command[0]))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _cpu() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n")
    except OSError:
        return platform.processor() or platform.machine()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.machine())


def _version(program: str) -> str:
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return shown.stdout.partition("\n")[0]


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "axk1"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _compile(library: Path, files: Mapping[str, bytes], command: Sequence[str], units: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        for name, text in files.items():
            (Path(scratch) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(scratch) / name).write_bytes(text)
        with ThreadPoolExecutor(os.cpu_count()) as compilers:  # the units beside each other, then all together
            list(compilers.map(lambda unit: _run([*command, "-c", unit, "-o", f"{unit}.o"], scratch), units))
        _run([*command, *(f"{unit}.o" for unit in units), "-o", "built.so", "-lm"], scratch)
        (Path(scratch) / "built.so").replace(library)  # atomic: of two builds at once one whole file is left


def _run(command: Sequence[str], folder: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        raise NativeUnavailableError(f"{command[0]} could not build the kernels: {done.stderr.strip()[-300:]}")
