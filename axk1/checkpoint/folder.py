"""A checkpoint folder: config.json and the safetensors files, one or many with an index, mapped from disk."""

from __future__ import annotations

import math
import mmap
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axk1.arch import ModelConfig
from axk1.checkpoint.floats import STORED, Float32, to_float32
from axk1.checkpoint.quantization import Leaf, Quantization, Role, codec, read_quantization
from axk1.checkpoint.tensorfile import DTYPE_BYTES, CheckpointError, TensorInfo, json_object, read_header
from axk1.checkpoint.weights import StoredWeight, Weight, gather, kind_of

CONFIG = "config.json"
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
ROW_STEP = 128  # rows at which a quantised weight may be cut: whole words of zero points, whole blocks of scales


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
        self.raw_config = read_object(path / CONFIG)
        try:
            self.config = ModelConfig.from_huggingface(self.raw_config)
        except ValueError as error:
            raise CheckpointError(f"{path / CONFIG}: {error}") from error
        index = _index(path)
        self.files = tuple(sorted(path / name for name in {*index.values()})) if index else (_single(path),)
        self.tensors = _tensors(self.files, index)
        self._maps: dict[Path, memoryview] = {}
        self._starts: dict[Path, int] = {}

    def raw(self, name: str) -> memoryview:
        """The bytes of one tensor, read-only and mapped from disk; KeyError for an unknown name."""
        info = self.tensors[name]
        return self._map(info.file)[info.offset : info.offset + info.nbytes]

    def start(self, file: Path) -> int:
        """The address at which one of the folder's files is mapped, as long as the folder lives."""
        if file not in self._starts:
            self._starts[file] = np.frombuffer(self._map(file), np.uint8).ctypes.data
        return self._starts[file]

    def address(self, info: TensorInfo) -> int:
        """Where the bytes of one tensor begin in memory: a view of each, as `raw` gives, takes longer."""
        return self.start(info.file) + info.offset

    @cached_property
    def quantization(self) -> Quantization | None:
        """The parsed `quantization_config`; None when no weight is quantised."""
        try:
            return read_quantization(self.raw_config)
        except CheckpointError as error:
            raise CheckpointError(f"{self.path / CONFIG}: {error}") from error

    @cached_property
    def weights(self) -> Mapping[str, StoredWeight]:
        """Every weight by the name that `plan` knows, several stored tensors of a quantised one joined.

        Raises CheckpointError naming the tensor that does not fit the others or the config.
        """
        try:
            return gather(self.tensors, self.quantization, lambda info: self.raw(info.name))
        except CheckpointError as error:
            raise CheckpointError(f"{self.path}: {error}") from error

    def weight(self, name: str) -> Weight:
        """The mapped bytes of one weight and what they mean; nothing is decoded. KeyError for an unknown name."""
        stored = self.weights[name]
        views = {role: self.raw(info.name) for role, info in stored.parts.items()}
        scheme = stored.scheme
        if scheme is None:
            return Weight(name, stored.shape, kind_of(stored), views["values"])
        return Weight(
            name,
            stored.shape,
            kind_of(stored),
            views["values"],
            views["scale"],
            views.get("zero_point"),
            scheme.group_size,
            scheme.block_rows,
            scheme.symmetric,
            scheme.scale_dtype,
            packed=stored.parts["values"].dtype == "I32",
        )

    def decode(self, name: str, first: int = 0, rows: int | None = None) -> Float32:
        """Rows of a weight as float32 [rows, columns], read (not mapped) from disk; all axes but the last are rows.

        `first` must be a multiple of ROW_STEP when the weight is quantised, which bounds the memory of a reader that
        goes through a large weight in steps. KeyError for an unknown name.
        """
        stored = self.weights[name]
        columns = stored.shape[-1]
        count = math.prod(stored.shape[:-1]) - first if rows is None else rows
        if stored.scheme is None:
            info = stored.parts["values"]
            if info.dtype not in STORED:
                raise CheckpointError(f"{info.file}: tensor {name} has dtype {info.dtype}, wanted a float")
            size = columns * DTYPE_BYTES[info.dtype]
            return to_float32(self._read(info, first * size, count * size), info.dtype).reshape(count, columns)
        assert first % ROW_STEP == 0, first
        found = codec(stored.scheme.codec)
        before = found.layout((first, columns), stored.scheme)
        part = found.layout((count, columns), stored.scheme)
        arrays: dict[Role, NDArray[np.generic]] = {
            role: self._array(stored.parts[role], before[role], part[role]) for role in part if role != "shape"
        }
        return found.decode(arrays, (count, columns), stored.scheme)

    def read(self, name: str) -> bytes:
        """The bytes of one tensor, read (not mapped) from disk; KeyError for an unknown name."""
        info = self.tensors[name]
        return self._read(info, 0, info.nbytes)

    def _map(self, path: Path) -> memoryview:
        if path not in self._maps:
            with path.open("rb") as file:
                self._maps[path] = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return self._maps[path]

    def _array(self, info: TensorInfo, before: Leaf, part: Leaf) -> NDArray[np.generic]:
        """The stored rows that follow those of the layout `before`."""
        row = math.prod(part.shape[1:]) * DTYPE_BYTES[part.dtype]
        data = self._read(info, before.shape[0] * row, part.shape[0] * row)
        stored = {"I32": "<i4", "I8": "i1", "F8_E4M3": "u1"}.get(part.dtype) or STORED[part.dtype]
        return np.frombuffer(data, dtype=stored).reshape(part.shape)

    def _read(self, info: TensorInfo, start: int, nbytes: int) -> bytes:
        with info.file.open("rb") as file:
            file.seek(info.offset + start)
            return file.read(nbytes)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object that a file of the folder holds. CheckpointError when it is not there or holds something else."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    return json_object(path.read_bytes(), str(path))


def _index(path: Path) -> dict[str, str] | None:
    """Tensor name to file name, None for a folder of one file. A file name with a folder in it is refused."""
    if not (path / INDEX).exists():
        return None
    index = read_object(path / INDEX).get("weight_map")
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
        file_name = file.name
        for info in read_header(file):
            name = info.name
            if name in tensors:
                raise CheckpointError(f"{file}: tensor {name} is also in {tensors[name].file.name}")
            if index is not None and index.get(name) != file_name:
                raise CheckpointError(f"{file}: tensor {name} is here, but not by the index")
            tensors[name] = info
    for name in index or ():
        if name not in tensors:
            raise CheckpointError(f"{files[0].parent / INDEX}: tensor {name} is not in {(index or {})[name]}")
    return tensors
