"""Tiny models whose every weight is random, so that no norm, bias or gate is trivially one or zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from axk1.arch import ModelConfig
from axk1.model import Operators, PlainOperators, Transformer
from axk1.model.fused import FusedOperators
from axk1.native import NativeUnavailableError

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

MakeConfig = Callable[..., ModelConfig]
MakeModel = Callable[..., Transformer]


def tiny_config(**changes: Any) -> ModelConfig:
    return ModelConfig(**{**TINY, **changes})


def tiny_model(operators: Operators | None = None, recompute: bool = False, **changes: Any) -> Transformer:
    torch.manual_seed(0)
    model = Transformer(tiny_config(**changes), operators or PlainOperators(), recompute=recompute)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.uniform_(0.5, 1.5)
        for router in model.routers:
            router.e_score_correction_bias.uniform_(-0.3, 0.3)
    return model


@pytest.fixture(params=["plain", "fused"])
def operators(request: pytest.FixtureRequest) -> Operators:
    """Both sets in turn; the fused one where a C compiler is."""
    if request.param == "plain":
        return PlainOperators()
    try:
        return FusedOperators()
    except NativeUnavailableError as reason:
        pytest.skip(str(reason))


@pytest.fixture
def config() -> MakeConfig:
    return tiny_config


@pytest.fixture
def model() -> MakeModel:
    return tiny_model


@pytest.fixture
def tokens() -> torch.Tensor:
    """[3, 20]"""
    return torch.randint(97, (3, 20), generator=torch.Generator().manual_seed(7))
