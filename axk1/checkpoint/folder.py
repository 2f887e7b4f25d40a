"""A checkpoint folder: config.json and the safetensors files, one or many with an index, mapped from disk."""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from axk1.arch import ModelConfig
from axk1.checkpoint.tensorfile import CheckpointError, TensorInfo, read_header

CONFIG = "config.json"
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"


class CheckpointFolder:
    """The config and the tensors of a Hugging Face folder.

    Opening reads the headers alone. Raises CheckpointError for a missing, truncated or contradictory file, a tensor
    that the index names but no file holds (or the other way round), and a config of another architecture.
    """

    path: Path
    config: ModelConfig
    raw_config: Mapping[str, Any]
    tensors: Mapping[str, TensorInfo]
    files: tuple[Path, ...]

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise CheckpointError(f"{path}: no such folder")
        self.path = path
        self.raw_config = _read_json(path / CONFIG)
        try:
            self.config = ModelConfig.from_huggingface(self.raw_config)
        except ValueError as error:
            raise CheckpointError(f"{path / CONFIG}: {error}") from error
        index = _index(path)
        self.files = tuple(sorted({path / name for name in index.values()})) if index else (_single(path),)
        self.tensors = _tensors(self.files, index)
        self._maps: dict[Path, memoryview] = {}

    def raw(self, name: str) -> memoryview:
        """The bytes of one tensor, read-only and mapped from disk; KeyError for an unknown name."""
        info = self.tensors[name]
        if info.file not in self._maps:
            with info.file.open("rb") as file:
                self._maps[info.file] = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return self._maps[info.file][info.offset : info.offset + info.nbytes]


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: not a JSON object")
    return value


def _index(path: Path) -> dict[str, str] | None:
    """Tensor name to file name, None for a folder of one file. A file name with a folder in it is refused."""
    if not (path / INDEX).exists():
        return None
    index = _read_json(path / INDEX).get("weight_map")
    if not isinstance(index, dict) or not index or not all(isinstance(name, str) for name in index.values()):
        raise CheckpointError(f"{path / INDEX}: no weight_map of tensor names to file names")
    for name in set(index.values()):
        if Path(name).name != name:
            raise CheckpointError(f"{path / INDEX}: {name!r} is not a file name")
        if not (path / name).is_file():
            raise CheckpointError(f"{path / name}: the index names this file, it is not there")
    return index


def _single(path: Path) -> Path:
    if not (path / SINGLE).is_file():
        raise CheckpointError(f"{path}: neither {SINGLE} nor {INDEX} is there")
    return path / SINGLE


def _tensors(files: tuple[Path, ...], index: Mapping[str, str] | None) -> dict[str, TensorInfo]:
    tensors: dict[str, TensorInfo] = {}
    for file in files:
        for info in read_header(file):
            if info.name in tensors:
                raise CheckpointError(f"{file}: tensor {info.name} is also in {tensors[info.name].file.name}")
            if index is not None and index.get(info.name) != file.name:
                raise CheckpointError(f"{file}: tensor {info.name} is here, but not by the index")
            tensors[info.name] = info
    for name in index or ():
        if name not in tensors:
            raise CheckpointError(f"{files[0].parent / INDEX}: tensor {name} is not in {(index or {})[name]}")
    return tensors
