"""Tensors into one safetensors file, or into shards with an index; one tensor is held at a time. No torch here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from axk1.arch import ModelConfig
from axk1.checkpoint.tensorfile import ALIGNMENT, Entry, write

SHARD_BYTES = 5_000_000_000


def write_shards(
    folder: Path, entries: Sequence[Entry], data: Callable[[str], memoryview], shard_bytes: int = SHARD_BYTES
) -> None:
    """Write the tensors into `folder`; `data(name)` is asked for their bytes in the order of `entries`.

    A shard holds consecutive tensors up to `shard_bytes`; a tensor larger than that has a shard of its own. Inside a
    file, tensors begin at a multiple of the power of two (at most ALIGNMENT) that divides their size.
    """
    shards = list(_shards(entries, shard_bytes))
    if len(shards) == 1:
        _write(folder / "model.safetensors", shards[0], data)
        return
    names = [f"model-{number:05d}-of-{len(shards):05d}.safetensors" for number in range(1, len(shards) + 1)]
    for name, shard in zip(names, shards, strict=True):
        _write(folder / name, shard, data)
    total = sum(entry.nbytes for entry in entries)
    weight_map = {entry.name: name for name, shard in zip(names, shards, strict=True) for entry in shard}
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})


def generation_config(config: ModelConfig) -> dict[str, Any]:
    """Generation ends with a turn, or where the next document would begin: only a finished text is followed by that."""
    stops = dict.fromkeys((*config.eos_token_ids, config.bos_token_id))
    values: dict[str, Any] = {
        "bos_token_id": config.bos_token_id,
        "eos_token_id": [token for token in stops if token is not None],
    }
    return values if config.pad_token_id is None else {**values, "pad_token_id": config.pad_token_id}


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """A JSON object as people read it."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _shards(entries: Sequence[Entry], shard_bytes: int) -> Iterator[list[Entry]]:
    shard: list[Entry] = []
    filled = 0
    for entry in entries:
        if shard and filled + entry.nbytes > shard_bytes:
            yield shard
            shard, filled = [], 0
        shard.append(entry)
        filled += entry.nbytes
    yield shard


def _write(path: Path, shard: Sequence[Entry], data: Callable[[str], memoryview]) -> None:
    # The most divisible sizes come first, so everything behind them still begins at a multiple of its own
    aligned = sorted(shard, key=lambda entry: -min(entry.nbytes & -entry.nbytes, ALIGNMENT))
    write(path, aligned, data, [entry.name for entry in shard])
