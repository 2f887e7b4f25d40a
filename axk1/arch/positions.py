"""The two factors of stretched positions (YaRN, arXiv 2309.00071), as DeepSeek-V3 and transformers read its `mscale`s.

With `mscale` and `mscale_all_dim` both set (DeepSeek-V3), cos and sin are multiplied by the ratio of the two
temperatures and the softmax scale by the square of the second. With `mscale_all_dim` 0 (A.X K1) cos and sin carry the
whole temperature and the scale stays.
"""

from __future__ import annotations

import math

from axk1.arch.config import ModelConfig, RopeParameters

__all__ = ["attention_factor", "softmax_scale"]


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
    return scale * _temperature(rope.factor, rope.mscale_all_dim) ** 2


def _temperature(factor: float, mscale: float) -> float:
    return 1.0 if factor <= 1.0 else 0.1 * mscale * math.log(factor) + 1.0
