"""Named shapes: three small ones for training, one full-size slice, and the released models of the family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from axk1.arch.config import ModelConfig, RopeParameters

_NANO = ModelConfig(
    vocab_size=8192,
    hidden_size=256,
    intermediate_size=768,
    moe_intermediate_size=128,
    num_hidden_layers=6,
    num_attention_heads=4,
    num_key_value_heads=4,
    n_routed_experts=32,
    num_experts_per_tok=4,
    n_group=4,
    topk_group=2,
    q_lora_rank=128,
    kv_lora_rank=64,
    qk_nope_head_dim=32,
    qk_rope_head_dim=32,
    v_head_dim=32,
    max_position_embeddings=8192,
)
_MINI = ModelConfig(
    vocab_size=32768,
    hidden_size=768,
    intermediate_size=2048,
    moe_intermediate_size=256,
    num_hidden_layers=8,
    num_attention_heads=12,
    num_key_value_heads=12,
    n_routed_experts=64,
    num_experts_per_tok=4,
    n_group=8,
    topk_group=4,
    q_lora_rank=512,
    kv_lora_rank=256,
    qk_nope_head_dim=64,
    qk_rope_head_dim=32,
    v_head_dim=64,
    max_position_embeddings=8192,
)
_BASE = ModelConfig(
    vocab_size=65536,
    hidden_size=2048,
    intermediate_size=6144,
    moe_intermediate_size=1024,
    num_hidden_layers=16,
    num_attention_heads=16,
    num_key_value_heads=16,
    n_routed_experts=32,
    num_experts_per_tok=4,
    n_group=8,
    topk_group=4,
    q_lora_rank=1024,
    kv_lora_rank=512,
    qk_nope_head_dim=128,
    qk_rope_head_dim=64,
    v_head_dim=128,
    max_position_embeddings=8192,
)
_K1 = ModelConfig(
    vocab_size=163840,
    hidden_size=7168,
    intermediate_size=18432,
    moe_intermediate_size=2048,
    num_hidden_layers=61,
    num_attention_heads=64,
    num_key_value_heads=64,
    n_routed_experts=192,
    num_experts_per_tok=8,
    n_group=8,
    topk_group=4,
    q_lora_rank=1536,
    kv_lora_rank=512,
    qk_nope_head_dim=128,
    qk_rope_head_dim=64,
    v_head_dim=128,
    max_position_embeddings=131072,
    bos_token_id=163691,
    eos_token_id=163691,
    rope_parameters=RopeParameters(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=32768, mscale=1.0, mscale_all_dim=0.0
    ),
)
# One dense and one sparse layer of A.X K1 at full width
_SLICE = replace(
    _K1,
    vocab_size=8192,
    num_hidden_layers=2,
    max_position_embeddings=8192,
    bos_token_id=ModelConfig.bos_token_id,
    eos_token_id=ModelConfig.eos_token_id,
    rope_parameters=RopeParameters(),
)
# Kanana-2-30B-A3B and its kin
_30B_A3B = ModelConfig(
    model_type="deepseek_v3",
    vocab_size=128256,
    hidden_size=2048,
    intermediate_size=6144,
    moe_intermediate_size=768,
    num_hidden_layers=48,
    num_attention_heads=32,
    num_key_value_heads=32,
    n_routed_experts=128,
    num_experts_per_tok=6,
    q_lora_rank=None,
    kv_lora_rank=512,
    qk_nope_head_dim=128,
    qk_rope_head_dim=64,
    v_head_dim=128,
    max_position_embeddings=32768,
    routed_scaling_factor=2.448,
    rope_parameters=RopeParameters(rope_theta=1_000_000.0),
)
_MOONLIGHT = ModelConfig(
    model_type="deepseek_v3",
    vocab_size=163840,
    hidden_size=2048,
    intermediate_size=11264,
    moe_intermediate_size=1408,
    num_hidden_layers=27,
    num_attention_heads=16,
    num_key_value_heads=16,
    n_routed_experts=64,
    n_shared_experts=2,
    num_experts_per_tok=6,
    q_lora_rank=None,
    kv_lora_rank=512,
    qk_nope_head_dim=128,
    qk_rope_head_dim=64,
    v_head_dim=128,
    max_position_embeddings=8192,
    routed_scaling_factor=2.446,
    rms_norm_eps=1e-5,
    rope_parameters=RopeParameters(rope_theta=50_000.0),
)
_DEEPSEEK_V3 = replace(
    _K1,
    model_type="deepseek_v3",
    vocab_size=129280,
    num_attention_heads=128,
    num_key_value_heads=128,
    n_routed_experts=256,
    max_position_embeddings=163840,
    first_k_dense_replace=3,
    num_nextn_predict_layers=1,
    bos_token_id=ModelConfig.bos_token_id,
    eos_token_id=ModelConfig.eos_token_id,
    rope_parameters=RopeParameters(
        rope_type="yarn", factor=40.0, original_max_position_embeddings=4096, mscale=1.0, mscale_all_dim=1.0
    ),
)

PRESETS: Mapping[str, ModelConfig] = MappingProxyType(
    {
        "nano": _NANO,
        "mini": _MINI,
        "base": _BASE,
        "slice": _SLICE,
        "30b-a3b": _30B_A3B,
        "moonlight-16b-a3b": _MOONLIGHT,
        "deepseek-v3": _DEEPSEEK_V3,
        "k1": _K1,
    }
)


def preset(name: str) -> ModelConfig:
    """The named shape. Raises ValueError listing the names for an unknown one."""
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}: use one of {', '.join(PRESETS)}")
    return PRESETS[name]
