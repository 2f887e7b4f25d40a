"""Rotary positions: the frequencies (plain or YaRN), the cos/sin tables and the softmax scale that goes with them.

YaRN: Peng et al. 2023 (arXiv 2309.00071), section 3; `mscale` and `mscale_all_dim` as DeepSeek-V3 and transformers read
them: with both set, cos and sin are multiplied by the ratio of the two temperatures and the softmax scale by the square
of the second; with `mscale_all_dim` 0 (A.X K1) cos and sin carry the whole temperature and the scale stays as it is.

Shape letters: T positions, R rotary size, P = R / 2 pairs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from axk1.arch import ModelConfig, RopeParameters


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


def attention_factor(rope: RopeParameters) -> float:
    """What cos and sin are multiplied by."""
    if rope.rope_type == "default":
        return 1.0
    if rope.mscale and rope.mscale_all_dim:
        return _temperature(rope.factor, rope.mscale) / _temperature(rope.factor, rope.mscale_all_dim)
    return _temperature(rope.factor, 1.0)


def softmax_scale(config: ModelConfig) -> float:
    """1 / sqrt(query/key head size), times the squared `mscale_all_dim` temperature under YaRN."""
    rope = config.rope_parameters
    scale = 1.0 / math.sqrt(config.qk_head_dim)
    if rope.rope_type == "default" or not rope.mscale_all_dim:
        return scale
    temperature = _temperature(rope.factor, rope.mscale_all_dim)
    return scale * temperature * temperature


def _temperature(factor: float, mscale: float) -> float:
    return 1.0 if factor <= 1.0 else 0.1 * mscale * math.log(factor) + 1.0


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
