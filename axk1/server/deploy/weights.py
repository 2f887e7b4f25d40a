"""How many bytes of weights lie on the fullest GPU.

Splits are those of vLLM's and SGLang's classes for this family: tensor parallelism divides the up-projections of latent
attention, the dense and shared MLPs and the vocabulary; each rank keeps whole down-projections to the latents, norms
and routers. Routed experts are divided over tensor and data parallel ranks together, by whole experts (expert
parallelism) or each by its inner width. Pipeline stages hold layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from axk1.arch import DTYPE_BITS, ModelConfig, stored_bytes

__all__ = ["Layout", "WeightType", "cache_bytes", "weight_bytes"]

WeightType = Literal["bf16", "fp8", "int4"]

_MATRIX_BITS: Mapping[WeightType, tuple[float, float]] = {  # of a routed expert's number, of another matrix's
    "bf16": (16.0, 16.0),
    "fp8": (8 + 32 / 128**2, 8 + 32 / 128**2),  # one float32 scale for a block of 128 x 128
    "int4": (4 + 16 / 64, 16.0),  # one bfloat16 scale for 64 numbers; only routed experts are quantised
}


@dataclass(frozen=True)
class Layout:
    """Sizes of the parallel groups; `expert` gives whole experts to ranks. ValueError below 1."""

    tensor: int
    pipeline: int = 1
    data: int = 1
    expert: bool = False

    def __post_init__(self) -> None:
        if min(self.tensor, self.pipeline, self.data) < 1:
            raise ValueError("parallel sizes are at least 1")

    @property
    def gpus(self) -> int:
        """GPUs that it takes."""
        return self.tensor * self.pipeline * self.data

    @property
    def expert_ranks(self) -> int:
        """Ranks that share the routed experts of a layer."""
        return self.tensor * self.data


def weight_bytes(config: ModelConfig, layout: Layout, dtype: WeightType) -> int:
    """Bytes on the fullest GPU. A stage is taken to hold as many sparse layers as it has layers, where there are so
    many: engines differ in which stage gets the rest of a division."""
    assert dtype in get_args(WeightType)
    layers = -(-config.num_hidden_layers // layout.pipeline)
    sparse = min(layers, len(config.sparse_layers))
    expert_bits, matrix_bits = _MATRIX_BITS[dtype]
    width = config.hidden_size
    matrices = layers * _attention(config, layout.tensor)
    matrices += (layers - sparse) * 3 * width * _part(config.intermediate_size, layout.tensor)
    matrices += sparse * 3 * width * _part(config.n_shared_experts * config.moe_intermediate_size, layout.tensor)
    experts = sparse * _experts(config, layout)
    plain = _vocabulary(config, layout) + sparse * config.n_routed_experts * (width + 2)  # a bias is float32
    plain += layers * (3 * width + config.kv_lora_rank + (config.q_lora_rank or 0)) + width
    return _ceil(experts * expert_bits / 8) + _ceil(matrices * matrix_bits / 8) + 2 * plain


def cache_bytes(config: ModelConfig, layout: Layout, dtype: str) -> int:
    """Bytes of latent cache per token on a GPU of the fullest stage: every tensor parallel rank keeps all of it."""
    layers = -(-config.num_hidden_layers // layout.pipeline)
    assert dtype in DTYPE_BITS
    return stored_bytes(layers * (config.kv_lora_rank + config.qk_rope_head_dim), dtype)


def _attention(config: ModelConfig, tensor: int) -> int:
    width, heads = config.hidden_size, _part(config.num_attention_heads, tensor)
    rank = config.q_lora_rank
    query = heads * config.qk_head_dim
    queries = width * query if rank is None else rank * (width + query)
    latents = width * (config.kv_lora_rank + config.qk_rope_head_dim)
    up = config.kv_lora_rank * heads * (config.qk_nope_head_dim + config.v_head_dim)
    return queries + latents + up + heads * config.v_head_dim * width


def _experts(config: ModelConfig, layout: Layout) -> int:
    ranks = layout.expert_ranks
    if layout.expert:
        return _part(config.n_routed_experts, ranks) * 3 * config.hidden_size * config.moe_intermediate_size
    return config.n_routed_experts * 3 * config.hidden_size * _part(config.moe_intermediate_size, ranks)


def _vocabulary(config: ModelConfig, layout: Layout) -> int:
    """Embedding and head; with stages the first has the one and the last the other."""
    one = _part(config.vocab_size, layout.tensor) * config.hidden_size
    return one if layout.pipeline > 1 or config.tie_word_embeddings else 2 * one


def _part(size: int, ranks: int) -> int:
    return -(-size // ranks)


def _ceil(number: float) -> int:
    return int(-(-number // 1))
