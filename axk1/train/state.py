"""Resume points on disk: `step-00000120/` with all tensors (safetensors) and the rest as JSON, written whole."""

import errno
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from axk1.runs import whole_folder, write_whole

__all__ = ["dtype_of", "load", "newest", "save"]

_TENSORS, _VALUES = "state.safetensors", "state.json"
_KEPT = 2


def save(folder: Path, step: int, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> Path:
    """Write the resume point of `step` and drop all but the last two. Raises OSError; older points then survive."""
    path = folder / f"step-{step:08d}"
    with whole_folder(path) as partial:
        _save_tensors(tensors, partial / _TENSORS)
        write_whole(partial / _VALUES, json.dumps(values, ensure_ascii=False))
    _prune(folder)
    return path


def newest(folder: Path) -> Path | None:
    """The last resume point in `folder`, or None."""
    return max(folder.glob("step-*"), default=None)


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and values of a resume point. ValueError if a file is damaged."""
    try:
        values: dict[str, Any] = json.loads((path / _VALUES).read_text(encoding="utf-8"))
        return load_file(path / _TENSORS), values
    except (SafetensorError, ValueError, FileNotFoundError) as error:
        raise ValueError(f"{path} is damaged ({error}); remove it to go on from the resume point before it") from error


def dtype_of(path: Path, name: str) -> torch.dtype:
    """The format of one tensor of a resume point, without reading the others. ValueError if the file is damaged."""
    try:
        with safe_open(path / _TENSORS, framework="pt") as file:
            dtype: torch.dtype = file.get_tensor(name).dtype
            return dtype
    except (SafetensorError, FileNotFoundError) as error:
        raise ValueError(f"{path} is damaged ({error}); remove it to go on from the resume point before it") from error


def _save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    try:
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, path)
    except SafetensorError as error:  # the library gives a full disk no type of its own
        code = errno.ENOSPC if f"os error {errno.ENOSPC}" in str(error) else errno.EIO
        raise OSError(code, str(error)) from error


def _prune(folder: Path) -> None:
    for old in sorted(folder.glob("step-*"))[:-_KEPT]:
        shutil.rmtree(old)
    for leftover in folder.glob(".step-*"):  # of a process that was killed while it wrote or replaced
        shutil.rmtree(leftover, ignore_errors=True)
