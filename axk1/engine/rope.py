"""Rotary positions, plain or stretched by YaRN (arXiv 2309.00071, section 3), in NumPy.

Shape letters: N tokens, R rotary size, P = R / 2 pairs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from axk1.arch import ModelConfig, RopeParameters, attention_factor

__all__ = ["Rope", "frequencies"]

Floats = NDArray[np.float32]


class Rope:
    """The rotation of any position. Angles are products in float32, as in transformers."""

    def __init__(self, config: ModelConfig) -> None:
        self._frequencies_P = frequencies(config.rope_parameters, config.qk_rope_head_dim)
        self._factor = np.float32(attention_factor(config.rope_parameters))

    def tables(self, positions_N: NDArray[np.int32]) -> tuple[Floats, Floats]:
        """cos and sin of each position's pairs, float32 [N, P], times the YaRN attention factor."""
        angles_NP = positions_N.astype(np.float32)[:, None] * self._frequencies_P
        return np.cos(angles_NP) * self._factor, np.sin(angles_NP) * self._factor

    @staticmethod
    def rotate(x: Floats, cos: Floats, sin: Floats) -> Floats:
        """Turns the pairs (x[2p], x[2p + 1]) by their angles: [..., R] with tables [..., P] that broadcast."""
        even, odd = x[..., 0::2], x[..., 1::2]
        turned = np.empty_like(x)
        turned[..., 0::2] = even * cos - odd * sin
        turned[..., 1::2] = odd * cos + even * sin
        return turned


def frequencies(rope: RopeParameters, size: int) -> Floats:
    """Radians per position of each pair, float32 [P]."""
    periods_P = np.float32(rope.rope_theta) ** (np.arange(0, size, 2, dtype=np.float32) / np.float32(size))
    if rope.rope_type == "default":
        return np.float32(1.0) / periods_P
    stretched_P = _stretched_share(rope, size)
    return stretched_P / (np.float32(rope.factor) * periods_P) + (np.float32(1.0) - stretched_P) / periods_P


def _stretched_share(rope: RopeParameters, size: int) -> Floats:
    """0 for pairs that turn often within the trained length (kept as they are), 1 for those that hardly turn."""
    low = max(math.floor(_pair_of_rotations(rope, size, rope.beta_fast)), 0)
    high = min(math.ceil(_pair_of_rotations(rope, size, rope.beta_slow)), size - 1)
    width = np.float32(high - low if high != low else 0.001)
    share_P: Floats = np.clip((np.arange(size // 2, dtype=np.float32) - np.float32(low)) / width, 0.0, 1.0)
    return share_P


def _pair_of_rotations(rope: RopeParameters, size: int, rotations: float) -> float:
    """The (fractional) pair that makes so many whole turns within the trained length."""
    assert rope.original_max_position_embeddings is not None
    turns = rope.original_max_position_embeddings / (rotations * 2.0 * math.pi)
    return size * math.log(turns) / (2.0 * math.log(rope.rope_theta))
