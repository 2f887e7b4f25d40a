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
from axk1.checkpoint.names import SELECTION_BIAS
from axk1.export.quantize import BLOCK_WEIGHTS, Arrays, Progress, write_weights
from axk1.export.quantize_formats import Formats
from axk1.export.quantize_outputs import NewWeight, config_json, planned
from axk1.export.shards import SHARD_BYTES, generation_config, write_json
from axk1.runs import whole_folder

DTYPE = "BF16"
OFTEN, MOST_SKEW = 0.95, 4.0
SPREAD = 3.0  # standard deviations that the codes reach to


def random_folder(
    config: ModelConfig,
    out: Path,
    formats: Formats,
    seed: int = 0,
    progress: Progress | None = None,
    shard_bytes: int = SHARD_BYTES,
    skew: float = 0.0,
) -> None:
    """Write `out`, whole or not at all: normal weights of the config's `initializer_range`, norms of one.

    The same seed gives the same folder. Scales differ by up to a quarter from group to group, zero points are 0. With
    `skew` the selection biases make experts about as often chosen as a Zipf law of that exponent says, in another order
    in each layer, as the routers of trained models have favourites. ValueError when it is negative.
    """
    if not 0 <= skew <= MOST_SKEW:
        raise ValueError(f"the skew of experts must be 0 to {MOST_SKEW:g}, not {skew:g}")
    formats = formats.with_scale_dtype(DTYPE)
    weights = planned(config, formats, DTYPE)
    with whole_folder(out) as partial:
        write_weights(partial, weights, lambda weight: _random(weight, config, seed, skew), progress, shard_bytes)
        write_json(partial / "config.json", config_json(config, formats, DTYPE))
        write_json(partial / "generation_config.json", generation_config(config))


def _random(weight: NewWeight, config: ModelConfig, seed: int, skew: float) -> Arrays:
    rng = np.random.default_rng([seed, zlib.crc32(weight.name.encode())])
    if skew and weight.name.endswith(SELECTION_BIAS):
        return {"values": rng.permutation(zipf_biases(config, skew)).astype(np.float32)}
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


def zipf_biases(config: ModelConfig, exponent: float) -> NDArray[np.float64]:
    """Selection biases of a layer with which the r-th expert is chosen about as often as r ** -exponent says.

    Scores of a random router are sigmoids of normal numbers. With bias b an expert passes a common threshold as often
    as a score exceeds the threshold less b; the bias is the one for which that happens as often as wanted. Nobody is
    chosen more often than for OFTEN of the tokens. Groups of experts, which choose among themselves first, flatten it.
    """
    ranks_E = np.arange(1, config.n_routed_experts + 1, dtype=np.float64) ** -exponent
    low, high = 0.0, 1e6
    for _ in range(100):  # the scale at which the chances add up to the experts of a token
        middle = (low + high) / 2
        low, high = (middle, high) if _chances(ranks_E, middle).sum() < config.num_experts_per_tok else (low, middle)
    spread = config.initializer_range * config.hidden_size**0.5
    normal = NormalDist()
    quantiles = [spread * normal.inv_cdf(1 - chance) for chance in _chances(ranks_E, low)]
    biases_E: NDArray[np.float64] = -1 / (1 + np.exp(-np.array(quantiles)))
    return np.asarray(biases_E - biases_E.mean(), np.float64)


def _chances(ranks_E: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    return np.clip(ranks_E * scale, 1e-6, OFTEN)


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
