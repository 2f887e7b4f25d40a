"""Rotary positions: the frequencies, plain or stretched by YaRN (arXiv 2309.00071, section 3), and the cos/sin tables.

Shape letters: T positions, R rotary size, P = R / 2 pairs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from axk1.arch import ModelConfig, RopeParameters, attention_factor


class Rope:
    """cos/sin tables for any positions. Holds no module state, so a model built on the meta device has them too."""

    def __init__(self, config: ModelConfig) -> None:
        self.frequencies_P = frequencies(config.rope_parameters, config.qk_rope_head_dim)
        self.attention_factor = attention_factor(config.rope_parameters)

    def tables(self, positions_T: Tensor) -> tuple[Tensor, Tensor]:
        """cos and sin, float32 [T, P], times the YaRN attention factor."""
        angles_TP = positions_T.float().unsqueeze(-1) * self.frequencies_P.to(positions_T.device)
        return angles_TP.cos() * self.attention_factor, angles_TP.sin() * self.attention_factor


def rotate(x: Tensor, cos_TP: Tensor, sin_TP: Tensor) -> Tensor:
    """Turns the pair (x[2p], x[2p + 1]) of each position by its angle, in float32: [..., T, R] -> [..., T, R]."""
    pairs = x.float().view(*x.shape[:-1], -1, 2)
    even, odd = pairs.unbind(-1)
    turned = torch.stack((even * cos_TP - odd * sin_TP, odd * cos_TP + even * sin_TP), dim=-1)
    return turned.flatten(-2).to(x.dtype)


def frequencies(rope: RopeParameters, size: int) -> Tensor:
    """Radians per position of each rotary pair, float32 [size / 2]."""
    periods_P = rope.rope_theta ** (torch.arange(0, size, 2, dtype=torch.float32, device="cpu") / size)
    if rope.rope_type == "default":
        return 1.0 / periods_P
    keep_P = 1.0 - _interpolated_share(rope, size)
    return (1.0 - keep_P) / (rope.factor * periods_P) + keep_P / periods_P


def _interpolated_share(rope: RopeParameters, size: int) -> Tensor:
    """0 for pairs that turn often within the trained length (kept), 1 for those that do not (interpolated)."""
    low = max(math.floor(_pair_of_rotations(rope, size, rope.beta_fast)), 0)
    high = min(math.ceil(_pair_of_rotations(rope, size, rope.beta_slow)), size - 1)
    width = high - low if high != low else 0.001
    return ((torch.arange(size // 2, dtype=torch.float32, device="cpu") - low) / width).clamp(0.0, 1.0)


def _pair_of_rotations(rope: RopeParameters, size: int, rotations: float) -> float:
    """The (fractional) pair that makes so many whole turns within the trained length."""
    assert rope.original_max_position_embeddings is not None
    turns = rope.original_max_position_embeddings / (rotations * 2.0 * math.pi)
    return size * math.log(turns) / (2.0 * math.log(rope.rope_theta))
