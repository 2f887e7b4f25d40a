"""A model folder with more tokens: its embedding and head get a row for each, all else is copied. No torch here.

A new row is the mean of the rows of the pieces that the token was spelt in before, so that the model reads it as it
read those. Tensors are streamed from file to file, one at a time.
"""

import json
import mmap
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from axk1.checkpoint.floats import STORED, Float32, from_float32, to_float32
from axk1.checkpoint.folder import CONFIG, INDEX, SINGLE, read_object
from axk1.checkpoint.tensorfile import CheckpointError, Entry, TensorInfo, read_header, write
from axk1.runs import whole_folder
from axk1.tokenizer.graft import Graft

__all__ = ["Weighting", "graft_folder"]

Weighting = Literal["mean", "bytes", "last"]
"""How a piece counts in the mean: alike, by its bytes, or more the later it stands (the last one knows the others)."""

_ROWS = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "lm_head.weight", "embed_out.weight")
_TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class _Rows:
    """What becomes of a matrix with a row for each token: `size` rows, those from `first` on computed."""

    first: int
    size: int
    parts: tuple[tuple[int, ...], ...]
    weights: tuple[tuple[float, ...], ...]


def graft_folder(base: Path, grafted: Graft, out: Path, lengths: Sequence[int], weighting: Weighting = "mean") -> int:
    """Write the folder `out`; how many rows its matrices have now. `lengths`: bytes of each of the base's tokens.

    CheckpointError for a folder that cannot be read, has no embedding with a row for each token, or a quantised one.
    ValueError for an unknown weighting, or if `out` is the base.
    """
    if weighting not in get_args(Weighting):
        raise ValueError(f"weighting {weighting!r} is not known: use one of {', '.join(get_args(Weighting))}")
    if out.resolve() == base.resolve():
        raise ValueError(f"{out} is the model itself: name another folder")
    config = read_object(base / CONFIG)
    old = config.get("vocab_size")
    if not isinstance(old, int):
        raise CheckpointError(f"{base / CONFIG}: no vocab_size")
    files = sorted({*read_object(base / INDEX)["weight_map"].values()}) if (base / INDEX).exists() else [SINGLE]
    headers = {name: _header(base / name) for name in files}
    _check(base, [info for infos in headers.values() for info in infos], old, grafted.first)
    size = max(old, grafted.first + len(grafted.parts))  # rows that were spare are used first
    weights = tuple(_weights(parts, lengths, weighting) for parts in grafted.parts)
    rows = _Rows(grafted.first, size, grafted.parts, weights)
    with whole_folder(out) as folder:
        _copy_others(base, folder, {*files, CONFIG, INDEX, _TOKENIZER})
        total = sum(_write(folder / name, infos, rows) for name, infos in headers.items())
        if (base / INDEX).exists():
            index = read_object(base / INDEX)
            _write_json(folder / INDEX, {**index, "metadata": {**index.get("metadata", {}), "total_size": total}})
        _write_json(folder / CONFIG, {**config, "vocab_size": size})
        _write_json(folder / _TOKENIZER, grafted.described)
    return size


def _header(path: Path) -> list[TensorInfo]:
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    return read_header(path)


def _is_rows(name: str) -> bool:
    return name.endswith(_ROWS)


def _check(base: Path, infos: Sequence[TensorInfo], vocab_size: int, first: int) -> None:
    found = [info for info in infos if _is_rows(info.name)]
    if not found:
        raise CheckpointError(f"{base}: no embedding is there (looked for {', '.join(_ROWS)})")
    for info in found:
        if info.dtype not in STORED:
            raise CheckpointError(f"{info.file}: {info.name} is {info.dtype}: graft before quantising")
        if len(info.shape) != 2 or info.shape[0] != vocab_size or first > vocab_size:
            raise CheckpointError(
                f"{info.file}: {info.name} is {list(info.shape)}, vocab_size {vocab_size}, ids of the tokenizer {first}"
            )


def _weights(parts: tuple[int, ...], lengths: Sequence[int], weighting: Weighting) -> tuple[float, ...]:
    plain = {
        "mean": lambda: [1.0] * len(parts),
        "bytes": lambda: [float(max(lengths[id_], 1)) for id_ in parts],
        "last": lambda: [float(place) for place in range(1, len(parts) + 1)],
    }[weighting]()
    return tuple(weight / sum(plain) for weight in plain)


def _write(path: Path, infos: Sequence[TensorInfo], rows: _Rows) -> int:
    """One file; its tensors' bytes."""
    entries = [
        Entry(info.name, (rows.size, *info.shape[1:]) if _is_rows(info.name) else info.shape, info.dtype)
        for info in infos
    ]
    known = {info.name: info for info in infos}
    with infos[0].file.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:

        def data(name: str) -> memoryview:
            info = known[name]
            stored = mapped[info.offset : info.offset + info.nbytes]
            return memoryview(_grown(stored, info, rows) if _is_rows(name) else stored)

        write(path, entries, data)
    return sum(entry.nbytes for entry in entries)


def _grown(stored: bytes, info: TensorInfo, rows: _Rows) -> bytes:
    width = info.shape[1]
    matrix = np.frombuffer(stored, STORED[info.dtype]).reshape(info.shape)
    grown = np.zeros((rows.size, width), matrix.dtype)
    grown[: info.shape[0]] = matrix
    for place, (parts, weights) in enumerate(zip(rows.parts, rows.weights, strict=True)):
        grown[rows.first + place] = from_float32(_mean(matrix[list(parts)].tobytes(), info, weights), info.dtype)
    return grown.tobytes()


def _mean(stored: bytes, info: TensorInfo, weights: tuple[float, ...]) -> Float32:
    rows = to_float32(stored, info.dtype).reshape(len(weights), info.shape[1])
    return np.asarray(np.array(weights, np.float32) @ rows, np.float32)


def _copy_others(base: Path, folder: Path, written: set[str]) -> None:
    for file in base.iterdir():
        if file.is_file() and file.name not in written and file.suffix not in {".safetensors", ".bin", ".pt"}:
            shutil.copyfile(file, folder / file.name)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
