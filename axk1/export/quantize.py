"""Quantises a checkpoint folder into one that vLLM and transformers open, a block of rows in memory at a time.

Letters: O rows, I columns.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axk1.checkpoint import CheckpointError, CheckpointFolder, Grid, Scheme
from axk1.checkpoint.floats import Float32, from_float32
from axk1.checkpoint.folder import ROW_STEP
from axk1.checkpoint.quantization import Role, codec
from axk1.export.quantize_formats import Formats
from axk1.export.quantize_outputs import NewWeight, config_json, main_dtype, outputs
from axk1.export.quantize_report import Report
from axk1.export.quantize_search import best_grid
from axk1.export.shards import SHARD_BYTES, generation_config, write_json, write_shards
from axk1.runs import whole_folder

REPORT = "quantization_report.json"
BLOCK_WEIGHTS = 1 << 18  # rows are worked on in blocks of about this many weights, which a core's cache holds
# What a folder holds beside the model. Everything else there is left behind.
COMPANIONS = (
    *("tokenizer*", "chat_template*", "generation_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "merges.txt", "LICENSE*"),
)

Progress = Callable[[int, int], None]
Statistics = Callable[[str], Float32 | None]
Arrays = Mapping[Role, NDArray[np.generic]]
Grids = Callable[[Float32, Scheme, Float32 | None], Grid]
"""From a weight [O, I], its scheme and what an error in each input column costs [I] to the grid of its codes."""


def quantize(
    source: Path,
    out: Path,
    formats: Formats,
    statistics: Statistics | None = None,
    progress: Progress | None = None,
    shard_bytes: int = SHARD_BYTES,
    grids: Grids = best_grid,
) -> Report:
    """Write `out`, whole or not at all, in the `pack-quantized` layout of compressed-tensors.

    The source may itself be quantised. `statistics(module)` gives the mean squared activation of each input column of
    a module [I], or None; it weighs the error that `grids` minimises. `progress` hears of stored bytes. Raises
    CheckpointError when the source is not what it claims to be, groups do not fit, or a weight is not finite;
    ValueError when `out` is the source.
    """
    if out.resolve() == source.resolve():
        raise ValueError(f"{out} is the source itself: choose another folder")
    folder = CheckpointFolder(source)
    formats = formats.with_scale_dtype(main_dtype(folder))
    config, weights = outputs(folder, formats)
    if config.tie_word_embeddings and formats.head:
        raise ValueError("this model's head is its embedding, which has no format of its own: leave --head out")
    report = Report(formats, calibrated=statistics is not None)

    def make(weight: NewWeight) -> Arrays:
        if weight.scheme is None:
            return {"values": _kept(weight, folder)}
        importance_I = _importance(weight, statistics) if statistics else None
        scheme = weight.scheme
        return _encoded(weight, scheme, folder, lambda block_OI: grids(block_OI, scheme, importance_I), report)

    with whole_folder(out) as partial:
        write_weights(partial, weights, make, progress, shard_bytes)
        write_json(partial / "config.json", config_json(config, formats, main_dtype(folder)))
        _companions(source, partial, {"generation_config.json": generation_config(config)})
        report.kept_bytes = sum(weight.entries()["values"].nbytes for weight in weights if weight.scheme is None)
        write_json(partial / REPORT, report.to_json())
    return report


def write_weights(
    folder: Path,
    weights: Sequence[NewWeight],
    make: Callable[[NewWeight], Arrays],
    progress: Progress | None,
    shard_bytes: int,
) -> None:
    """Write the shards; `make` gives the arrays of one weight when its turn comes, and only those are held."""
    places = {entry.name: (weight, role) for weight in weights for role, entry in weight.entries().items()}
    entries = [entry for weight in weights for entry in weight.entries().values()]
    total = sum(entry.nbytes for entry in entries)
    held: dict[str, Arrays] = {}
    done = 0

    def data(name: str) -> memoryview:
        nonlocal done
        weight, role = places[name]
        if weight.name not in held:
            held.clear()  # before the next one is made, so that two are never held
            held[weight.name] = make(weight)
        array = np.ascontiguousarray(held[weight.name][role])
        done += array.nbytes
        if progress:
            progress(done, total)
        return array.reshape(-1).view(np.uint8).data

    write_shards(folder, entries, data, shard_bytes)


def _importance(weight: NewWeight, statistics: Statistics) -> Float32 | None:
    importance_I = statistics(weight.name.removesuffix(".weight"))
    if importance_I is not None and importance_I.shape != weight.shape[-1:]:
        found = f"{list(importance_I.shape)} values for its {weight.shape[-1]} columns"
        raise ValueError(f"the statistics of {weight.name} have {found}: they were measured on another model")
    return importance_I


def _kept(weight: NewWeight, folder: CheckpointFolder) -> NDArray[np.generic]:
    """The weight in its own type."""
    if weight.source is None:
        return from_float32(np.full(weight.shape, weight.fill, dtype=np.float32), weight.dtype)
    stored = folder.weights[weight.source]
    if stored.scheme is None and stored.shape == weight.shape and stored.parts["values"].dtype == weight.dtype:
        return np.frombuffer(folder.read(weight.source), dtype=np.uint8)
    blocks = [from_float32(block, weight.dtype) for block in _blocks(weight, folder)]
    return np.concatenate(blocks).reshape(weight.shape)


def _encoded(
    weight: NewWeight, scheme: Scheme, folder: CheckpointFolder, grid_of: Callable[[Float32], Grid], report: Report
) -> Arrays:
    """The weight's codes and scales, found block by block."""
    found = codec(scheme.codec)
    parts: list[Arrays] = []
    error = size = 0.0
    for block_OI in _blocks(weight, folder):
        if not np.isfinite(block_OI).all():
            raise CheckpointError(f"tensor {weight.name} holds values that are not finite numbers")
        stored = found.encode(block_OI, scheme, grid_of(block_OI))
        difference_OI = found.decode(stored, block_OI.shape, scheme) - block_OI
        error += float(np.vdot(difference_OI, difference_OI))
        size += float(np.vdot(block_OI, block_OI))
        parts.append(stored)
    joined: dict[Role, NDArray[np.generic]] = {
        role: np.concatenate([part[role] for part in parts]) for role in parts[0] if role != "shape"
    }
    nbytes = sum(entry.nbytes for entry in weight.entries().values())
    assert weight.part is not None
    report.add(weight.part, weight.name, math.prod(weight.shape), nbytes, error, size)
    return {**joined, "shape": np.array(weight.shape, dtype="<i8")}


def _blocks(weight: NewWeight, folder: CheckpointFolder) -> Iterator[Float32]:
    """The weight's rows as float32, some at a time."""
    assert weight.source is not None
    columns, rows = weight.shape[-1], math.prod(weight.shape[:-1])
    step = max(BLOCK_WEIGHTS // columns // ROW_STEP, 1) * ROW_STEP
    for first in range(0, rows, step):
        yield folder.decode(weight.source, weight.first_row + first, min(step, rows - first))


def _companions(source: Path, target: Path, defaults: Mapping[str, Mapping[str, Any]]) -> None:
    for pattern in COMPANIONS:
        for file in source.glob(pattern):
            if file.is_file():
                shutil.copyfile(file, target / file.name)
    for name, value in defaults.items():
        if not (target / name).exists():
            write_json(target / name, value)
