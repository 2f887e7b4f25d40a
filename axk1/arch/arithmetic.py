"""What a shape costs: parameters, bytes and floating-point operations, from the formulas alone.

Letters: D hidden, L layers, H heads, S tokens of a sequence, n keys a query sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from axk1.arch.config import ModelConfig

# Bits of one stored number. Block scales of the quantised types (0.03 to 0.5 bit a weight) are not counted.
DTYPE_BITS: Mapping[str, int] = {"fp32": 32, "bf16": 16, "fp8": 8, "int8": 8, "int4": 4}


@dataclass(frozen=True)
class Facts:
    """What `axk1 arch` prints. Counts are parameters of the main model, MTP layers stand apart; FLOPs are per token.

    `context` is the sequence length in training and prefill (mean over its positions) and the number of keys that
    one decoded token sees.
    """

    name: str
    model_type: str
    parameters: int
    parameters_with_unused_norms: int
    active_parameters: int
    mtp_parameters: int
    embedding_parameters: int
    attention_parameters: int
    dense_mlp_parameters: int
    routed_expert_parameters: int
    shared_expert_parameters: int
    router_parameters: int
    norm_parameters: int
    active_share: float
    context: int
    training_flops: int
    prefill_flops: int
    decoding_flops: int
    kv_cache_numbers: int
    kv_cache_bytes: Mapping[str, int]
    weight_bytes: Mapping[str, int]
    active_weight_bytes: Mapping[str, int]


def facts(config: ModelConfig, name: str, seq_len: int | None = None) -> Facts:
    """All figures of one shape at a context of `seq_len` tokens (default: the model's own longest)."""
    context = config.max_position_embeddings if seq_len is None else seq_len
    if context < 1:
        raise ValueError(f"the context must be at least 1 token, found {context}")
    sparse = len(config.sparse_layers)
    numbers = kv_cache_numbers(config)
    total, active = parameters(config), active_parameters(config)
    return Facts(
        name=name,
        model_type=config.model_type,
        parameters=total,
        parameters_with_unused_norms=total + unused_norm_parameters(config),
        active_parameters=active,
        mtp_parameters=mtp_parameters(config),
        embedding_parameters=_embeddings(config),
        attention_parameters=config.num_hidden_layers * _attention_matrices(config),
        dense_mlp_parameters=(config.num_hidden_layers - sparse) * _mlp(config, config.intermediate_size),
        routed_expert_parameters=sparse * config.n_routed_experts * _mlp(config, config.moe_intermediate_size),
        shared_expert_parameters=sparse * config.n_shared_experts * _mlp(config, config.moe_intermediate_size),
        router_parameters=sparse * config.n_routed_experts * config.hidden_size,
        norm_parameters=_norms(config),
        active_share=active / total,
        context=context,
        training_flops=training_flops(config, context),
        prefill_flops=prefill_flops(config, context),
        decoding_flops=decoding_flops(config, context),
        kv_cache_numbers=numbers,
        kv_cache_bytes=_stored(numbers),
        weight_bytes=_stored(total),
        active_weight_bytes=_stored(active),
    )


def parameters(config: ModelConfig) -> int:
    """Trained numbers of the main model: without MTP layers, selection biases and norms that no layer applies."""
    dense = config.num_hidden_layers - len(config.sparse_layers)
    return (
        _embeddings(config)
        + config.num_hidden_layers * _attention_matrices(config)
        + dense * _mlp(config, config.intermediate_size)
        + len(config.sparse_layers) * _sparse_mlp(config, config.n_routed_experts)
        + _norms(config)
    )


def active_parameters(config: ModelConfig) -> int:
    """Parameters that one token meets: `parameters` without the routed experts it is not sent to."""
    idle = config.n_routed_experts - config.num_experts_per_tok
    return parameters(config) - len(config.sparse_layers) * idle * _mlp(config, config.moe_intermediate_size)


def unused_norm_parameters(config: ModelConfig) -> int:
    """The `post_mlp_layernorm` of dense layers, which A.X K1's released files carry and nothing applies."""
    dense = config.num_hidden_layers - len(config.sparse_layers)
    return dense * config.hidden_size if config.post_mlp_norm else 0


def mtp_parameters(config: ModelConfig) -> int:
    """What the multi-token-prediction layers add: a sparse layer, a [D, 2D] projection and three norms each.

    Embedding and head are shared with the main model (DeepSeek-V3 report, section 2.2).
    """
    width = config.hidden_size
    layer = (
        _attention_matrices(config) + _sparse_mlp(config, config.n_routed_experts) + _layer_norms(config, sparse=True)
    )
    return config.num_nextn_predict_layers * (layer + 2 * width * width + 3 * width)


def matmul_parameters(config: ModelConfig) -> int:
    """Active parameters that stand in a matrix product: without the embedding look-up and the norms."""
    lookup = 0 if config.tie_word_embeddings else config.vocab_size * config.hidden_size
    return active_parameters(config) - lookup - _norms(config)


def prefill_flops(config: ModelConfig, seq_len: int) -> int:
    """FLOPs per token of one forward pass, the mean over the positions of a causal sequence of `seq_len` tokens.

    2 x matmul_parameters + 2 L H (qk_head_dim + v_head_dim) n, with n = (S + 1) / 2 keys on average.
    """
    pairs = config.num_hidden_layers * config.num_attention_heads * (config.qk_head_dim + config.v_head_dim)
    return 2 * matmul_parameters(config) + pairs * (seq_len + 1)


def training_flops(config: ModelConfig, seq_len: int) -> int:
    """FLOPs per trained token: three forward passes (the backward pass costs two). No recomputation, no MTP."""
    return 3 * prefill_flops(config, seq_len)


def decoding_flops(config: ModelConfig, context: int) -> int:
    """FLOPs of one decoded token that sees `context` keys, with latent attention in its absorbed form.

    2 x matmul_parameters + 2 L H (2 kv_lora_rank + qk_rope_head_dim) n: scores and weighted sums are taken on the
    latent itself, while `kv_b_proj` is applied once to the query and once to the result (DeepSeek-V2, appendix C).
    """
    latent = 2 * config.kv_lora_rank + config.qk_rope_head_dim
    return 2 * (matmul_parameters(config) + config.num_hidden_layers * config.num_attention_heads * latent * context)


def kv_cache_numbers(config: ModelConfig) -> int:
    """Numbers cached per token over all layers: the latent and the one rotated key that all heads share."""
    return config.num_hidden_layers * (config.kv_lora_rank + config.qk_rope_head_dim)


def kv_cache_bytes(config: ModelConfig, dtype: str = "bf16") -> int:
    """Bytes of latent cache per token."""
    return stored_bytes(kv_cache_numbers(config), dtype)


def stored_bytes(numbers: int, dtype: str) -> int:
    """Bytes that `numbers` values take, rounded up. Raises ValueError for an unknown dtype."""
    if dtype not in DTYPE_BITS:
        raise ValueError(f"no dtype {dtype!r}: use one of {', '.join(DTYPE_BITS)}")
    return (numbers * DTYPE_BITS[dtype] + 7) // 8


def _stored(numbers: int) -> dict[str, int]:
    return {dtype: stored_bytes(numbers, dtype) for dtype in DTYPE_BITS}


def _embeddings(config: ModelConfig) -> int:
    """Input embedding and head, one matrix when tied."""
    return (1 if config.tie_word_embeddings else 2) * config.vocab_size * config.hidden_size


def _attention_matrices(config: ModelConfig) -> int:
    """One layer's latent attention without its norms (DeepSeek-V2 report, section 2.1)."""
    width, heads, query = (
        config.hidden_size,
        config.num_attention_heads,
        config.num_attention_heads * config.qk_head_dim,
    )
    rank = config.q_lora_rank
    queries = width * query if rank is None else rank * (width + query)
    keys_values = config.kv_lora_rank * heads * (config.qk_nope_head_dim + config.v_head_dim)
    return (
        queries
        + width * (config.kv_lora_rank + config.qk_rope_head_dim)
        + keys_values
        + heads * config.v_head_dim * width
    )


def _mlp(config: ModelConfig, inner: int) -> int:
    """Gate, up and down matrices of one SwiGLU."""
    return 3 * config.hidden_size * inner


def _sparse_mlp(config: ModelConfig, routed: int) -> int:
    """Router and experts of one sparse layer, without its norm."""
    experts = (routed + config.n_shared_experts) * _mlp(config, config.moe_intermediate_size)
    return experts + config.n_routed_experts * config.hidden_size


def _layer_norms(config: ModelConfig, *, sparse: bool) -> int:
    around = 3 if sparse and config.post_mlp_norm else 2
    return around * config.hidden_size + config.kv_lora_rank + (config.q_lora_rank or 0)


def _norms(config: ModelConfig) -> int:
    layers = (_layer_norms(config, sparse=config.is_sparse(layer)) for layer in range(config.num_hidden_layers))
    return sum(layers) + config.hidden_size
