"""A quantised folder of random weights, made directly as codes: a large shape to measure with, never held as floats.

Letters: O rows, I columns.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from axk1.arch import ModelConfig
from axk1.checkpoint import Grid, Scheme
from axk1.checkpoint.compressed_tensors import PACK_QUANTIZED
from axk1.checkpoint.floats import from_float32
from axk1.checkpoint.integers import storable
from axk1.export.quantize import BLOCK_WEIGHTS, Arrays, Progress, write_weights
from axk1.export.quantize_formats import Formats
from axk1.export.quantize_outputs import NewWeight, config_json, planned
from axk1.export.shards import SHARD_BYTES, generation_config, write_json
from axk1.runs import whole_folder

DTYPE = "BF16"
SPREAD = 3.0  # standard deviations that the codes reach to


def random_folder(
    config: ModelConfig,
    out: Path,
    formats: Formats,
    seed: int = 0,
    progress: Progress | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write `out`, whole or not at all: normal weights of the config's `initializer_range`, norms of one.

    The same seed gives the same folder. Scales differ by up to a quarter from group to group, zero points are 0.
    """
    formats = formats.with_scale_dtype(DTYPE)
    weights = planned(config, formats, DTYPE)
    with whole_folder(out) as partial:
        write_weights(partial, weights, lambda weight: _random(weight, config, seed), progress, shard_bytes)
        write_json(partial / "config.json", config_json(config, formats, DTYPE))
        write_json(partial / "generation_config.json", generation_config(config))


def _random(weight: NewWeight, config: ModelConfig, seed: int) -> Arrays:
    rng = np.random.default_rng([seed, zlib.crc32(weight.name.encode())])
    if weight.scheme is not None:
        return _codes(weight, weight.scheme, config.initializer_range, rng)
    if len(weight.shape) == 1:
        return {"values": from_float32(np.full(weight.shape, weight.fill, dtype=np.float32), weight.dtype)}
    rows, columns = weight.shape
    step = max(BLOCK_WEIGHTS // columns, 1)
    std = np.float32(config.initializer_range)
    blocks = [
        from_float32(rng.standard_normal((min(step, rows - first), columns), dtype=np.float32) * std, weight.dtype)
        for first in range(0, rows, step)
    ]
    return {"values": np.concatenate(blocks)}


def _codes(weight: NewWeight, scheme: Scheme, std: float, rng: np.random.Generator) -> Arrays:
    rows, columns = weight.shape
    table = _normal_codes(scheme.bits)
    codes_OI = table[np.frombuffer(rng.bytes(rows * columns), dtype=np.uint8)].reshape(rows, columns)
    scale = std / float(table.std())
    scale_OG = scale * rng.uniform(0.75, 1.25, (rows, scheme.groups(columns))).astype(np.float32)
    zero_OG = None if scheme.symmetric else np.zeros(scale_OG.shape, dtype=np.int8)
    return PACK_QUANTIZED.store(codes_OI, Grid(storable(scale_OG, scheme), zero_OG), scheme)


def _normal_codes(bits: int) -> NDArray[np.int8]:
    """256 codes, as often as a normal distribution has them: a random byte looks one up."""
    most = (1 << (bits - 1)) - 1
    quantiles = np.array([NormalDist().inv_cdf((index + 0.5) / 256) for index in range(256)])
    return np.clip(np.rint(quantiles * most / SPREAD), -most, most).astype(np.int8)
