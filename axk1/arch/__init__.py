"""The architecture as facts: shapes, named presets and what they cost. No torch here."""

from axk1.arch.arithmetic import (
    DTYPE_BITS,
    Facts,
    active_parameters,
    decoding_flops,
    facts,
    kv_cache_bytes,
    mtp_parameters,
    parameters,
    prefill_flops,
    stored_bytes,
    training_flops,
)
from axk1.arch.config import LATENT_NORM_EPS, ModelConfig, RopeParameters
from axk1.arch.positions import attention_factor, softmax_scale
from axk1.arch.presets import PRESETS, preset

__all__ = [
    "DTYPE_BITS",
    "LATENT_NORM_EPS",
    "PRESETS",
    "Facts",
    "ModelConfig",
    "RopeParameters",
    "active_parameters",
    "attention_factor",
    "decoding_flops",
    "facts",
    "kv_cache_bytes",
    "mtp_parameters",
    "parameters",
    "prefill_flops",
    "preset",
    "softmax_scale",
    "stored_bytes",
    "training_flops",
]
