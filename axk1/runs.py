"""A run folder: the resolved recipe, seed, git revision, metrics and what is finished; everything written whole."""

import contextlib
import errno
import fcntl
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn, Self

__all__ = ["Metrics", "Run", "alone_in", "sync", "whole_file", "whole_folder", "write_whole"]

_PACKAGES = ("axk1", "torch", "numpy", "tokenizers", "safetensors")


def write_whole(path: Path, data: bytes | str) -> None:
    """Write `data` (text as UTF-8) so that `path` is either the old file or the whole new one, never a part.

    Raises OSError (with a plain message on a full disk); what was half written is removed.
    """
    with whole_file(path) as partial:
        partial.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)


@contextlib.contextmanager
def whole_file(path: Path, owner: str = "") -> Iterator[Path]:
    """Yield the path of a sibling file to write; it becomes `path` on success and is removed on any error.

    owner: part of the sibling's name, where two processes may write the same file at the same time.
    """
    partial = path.with_name(f".{path.name}{owner}.partial")
    try:
        yield partial
        sync(partial)
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            _explain(error, path)
        raise
    sync(path.parent)


@contextlib.contextmanager
def alone_in(path: Path) -> Iterator[None]:
    """Create the folder and hold it against other processes of this machine. ValueError if one is at work in it."""
    path.mkdir(parents=True, exist_ok=True)
    lock = _lock(path)
    try:
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty sibling folder to fill; it becomes `path` on success and is removed on any error.

    An older `path` is replaced. There is an instant with neither, so give what must survive a power cut
    (checkpoints) a fresh name each.
    """
    partial, old = path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.old")
    for leftover in (partial, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        for file in sorted(partial.rglob("*")):
            sync(file)
        if path.exists():
            path.rename(old)
        partial.rename(path)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, OSError):
            _explain(error, path)
        raise
    sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)


class Run:
    """A run folder: `run.json` says what was asked for, `<stage>/done.json` what is finished."""

    def __init__(self, path: Path, about: Mapping[str, Any], lock: int) -> None:
        self.path = path
        self.about = about
        self._lock = lock

    @classmethod
    def open(cls, path: Path, recipe: Mapping[str, Any], seed: int) -> Self:
        """Create the run folder, or go on with it. The keys of `recipe` are the names of its stages.

        ValueError if the folder is in use by another process, or if a stage that was begun had other settings.
        """
        path.mkdir(parents=True, exist_ok=True)
        lock = _lock(path)
        file = path / "run.json"
        wanted = json.loads(json.dumps({"recipe": recipe, "seed": seed}))
        about = {
            "revision": _revision(),
            "versions": _versions(),
            "started": datetime.now(UTC).isoformat("T", "seconds"),
        }
        if file.exists():
            old = json.loads(file.read_text(encoding="utf-8"))
            begun = [stage for stage in recipe if (path / stage).exists()]
            if differences := _differences(old, wanted, begun):
                os.close(lock)
                hint = "Choose another run folder, or remove that stage's."
                raise ValueError(f"{path} was begun otherwise: {'; '.join(differences)}. {hint}")
            about = {key: old[key] for key in about}
        about = {**wanted, **about}
        write_whole(file, json.dumps(about, ensure_ascii=False, indent=1) + "\n")
        return cls(path, about, lock)

    def folder(self, name: str) -> Path:
        """The folder of that name inside the run, created if it is not there."""
        folder = self.path / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def done(self, stage: str) -> bool:
        """Whether `stage` was finished."""
        return (self.path / stage / "done.json").exists()

    def finish(self, stage: str, summary: Mapping[str, Any]) -> None:
        """Mark `stage` as finished, with a summary for people and plots."""
        write_whole(self.folder(stage) / "done.json", json.dumps(summary, ensure_ascii=False, indent=1) + "\n")

    def summary(self, stage: str) -> dict[str, Any]:
        """What `finish` was given for this stage."""
        text = (self.path / stage / "done.json").read_text(encoding="utf-8")
        summary: dict[str, Any] = json.loads(text)
        return summary

    def close(self) -> None:
        """Let another process work in this folder."""
        os.close(self._lock)


class Metrics:
    """`metrics.jsonl`: one JSON object a line, on disk as soon as it is written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **values: Any) -> None:
        """Append one line. A value that is not a finite number becomes null, which every JSON reader takes."""
        line = json.dumps({key: _finite(value) for key, value in values.items()}, ensure_ascii=False)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def read(self) -> list[dict[str, Any]]:
        """Every whole line; a last line that a killed process cut short does not count."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").split("\n")[:-1]]

    def truncate_after(self, step: int) -> None:
        """Drop the lines of later steps: a resumed run writes them again."""
        kept = [line for line in self.read() if line.get("step", 0) <= step]
        write_whole(self.path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value


def _explain(error: OSError, path: Path) -> NoReturn:
    if error.errno == errno.ENOSPC and not isinstance(error.__cause__, OSError):  # else it says already which file
        message = f"the disk is full: {path} was not written, nothing half written was left"
        raise OSError(errno.ENOSPC, message) from error
    raise error


def sync(path: Path) -> None:
    """Force a file or folder to disk, so that a rename never outruns the bytes it names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lock(path: Path) -> int:
    """A POSIX lock: it dies with the process, even under kill -9, and child processes do not inherit it."""
    handle = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise ValueError(f"another process is at work in {path}") from error
    return handle


def _revision() -> str | None:
    """The git revision of this code, with "+" when the tree differs from it; None outside a checkout."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+" if changed else "")


def _versions() -> dict[str, str]:
    versions = {"python": sys.version.split()[0]}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], begun: Sequence[str]) -> list[str]:
    """What the stages that were begun had otherwise; later stages may still be changed."""
    before, after = (_flat({stage: run["recipe"].get(stage, {}) for stage in begun}) for run in (old, new))
    if begun:
        before["seed"], after["seed"] = old["seed"], new["seed"]
    keys = [key for key in sorted(before | after) if before.get(key) != after.get(key)]
    return [f"{key} was {before.get(key)!r}, now {after.get(key)!r}" for key in keys]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
