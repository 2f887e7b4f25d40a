"""Tiny torch models, the oracles of many tests; every weight is random, so that no norm, bias or gate is trivial."""

from __future__ import annotations

from typing import Any

import torch

from axk1.arch import ModelConfig
from axk1.model import Operators, PlainOperators, Transformer

TINY: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "moe_intermediate_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "n_routed_experts": 8,
    "num_experts_per_tok": 3,
    "n_group": 4,
    "topk_group": 2,
    "q_lora_rank": 24,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 12,
    "qk_rope_head_dim": 8,
    "v_head_dim": 10,
    "max_position_embeddings": 128,
    "initializer_range": 0.15,
}


def tiny_config(**changes: Any) -> ModelConfig:
    return ModelConfig(**{**TINY, **changes})


def tiny_model(operators: Operators | None = None, recompute: bool = False, **changes: Any) -> Transformer:
    """Of the shape TINY with these changes."""
    torch.manual_seed(0)
    model = Transformer(tiny_config(**changes), operators or PlainOperators(), recompute=recompute)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.uniform_(0.5, 1.5)
        for router in model.routers:
            router.e_score_correction_bias.uniform_(-0.3, 0.3)
    return model
