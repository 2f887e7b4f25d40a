"""Which tensor of a file becomes which parameter: every tensor is used exactly once, dropped for a known reason, or an
error.

Our parameter names are the Hugging Face names with fused experts (`mlp.experts.gate_up_proj` [E, 2F, D], gate rows
first; `mlp.experts.down_proj` [E, D, F]). Files hold either these or one tensor per expert and projection.
Letters: D hidden, F expert inner size, E experts, V vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from axk1.arch import ModelConfig
from axk1.checkpoint.tensorfile import CheckpointError

Shape = tuple[int, ...]

SELECTION_BIAS = "mlp.gate.e_score_correction_bias"
GATE_UP = "mlp.experts.gate_up_proj"
DOWN = "mlp.experts.down_proj"


@dataclass(frozen=True)
class Piece:
    """One tensor of a file and its place: the whole parameter, or `parameter[expert]` from `first_row` on."""

    tensor: str
    shape: Shape
    expert: int | None = None
    first_row: int = 0


@dataclass(frozen=True)
class Plan:
    """How to fill every parameter. `zeros` are parameters that no tensor gives, `dropped` tensors that nobody reads
    and why."""

    sources: Mapping[str, tuple[Piece, ...]]
    zeros: tuple[str, ...]
    dropped: Mapping[str, str]


def expected(config: ModelConfig, *, mtp: bool = False) -> dict[str, Shape]:
    """Our parameter names and shapes in the order of the forward pass, the selection bias included.

    A tied head is the embedding and has no name of its own. `mtp` adds the multi-token-prediction layers.
    """
    width = config.hidden_size
    shapes: dict[str, Shape] = {"model.embed_tokens.weight": (config.vocab_size, width)}
    for layer in range(config.num_hidden_layers):
        shapes |= _layer(config, layer)
    for layer in _mtp_layers(config) if mtp else ():
        prefix = f"model.layers.{layer}."
        shapes |= {f"{prefix}{norm}.weight": (width,) for norm in ("enorm", "hnorm")}
        shapes[f"{prefix}eh_proj.weight"] = (width, 2 * width)
        shapes |= _layer(config, layer)
        shapes[f"{prefix}shared_head.norm.weight"] = (width,)
    shapes["model.norm.weight"] = (width,)
    if not config.tie_word_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, width)
    return shapes


def expert_pieces(name: str, shape: Shape) -> tuple[Piece, ...]:
    """The per-expert tensors of one fused parameter, in the order of a file that holds experts apart."""
    prefix, count = name.rpartition(".")[0], shape[0]
    if name.endswith(DOWN):
        return tuple(Piece(f"{prefix}.{expert}.down_proj.weight", shape[1:], expert) for expert in range(count))
    inner, width = shape[1] // 2, shape[2]
    return tuple(
        Piece(f"{prefix}.{expert}.{part}_proj.weight", (inner, width), expert, row)
        for expert in range(count)
        for part, row in (("gate", 0), ("up", inner))
    )


def plan(config: ModelConfig, present: Mapping[str, Shape], *, mtp: bool = False) -> Plan:
    """Where each parameter comes from, given the names and shapes that a checkpoint holds.

    Raises CheckpointError naming the tensor (and the shapes) when one is missing, surplus or misshapen.
    """
    _check_counts(config, present)
    wanted = expected(config, mtp=mtp)
    sources = {name: _pieces(name, shape, present) for name, shape in wanted.items()}
    zeros = tuple(name for name, pieces in sources.items() if not pieces)
    sources = {name: pieces for name, pieces in sources.items() if pieces}
    used = [piece for pieces in sources.values() for piece in pieces]
    _check_present(used, present)
    dropped = _dropped(config, present.keys() - {piece.tensor for piece in used}, present, mtp=mtp)
    return Plan(sources, zeros, dropped)


def _check_counts(config: ModelConfig, present: Mapping[str, Shape]) -> None:
    """A config that asks for more layers or experts than there are tensors is refused before they are all named."""

    def check(key: str, needed: int) -> None:
        if needed > len(present):
            raise CheckpointError(f"{key} is {needed}, but the files hold only {len(present)} tensors")

    check("num_hidden_layers", config.num_hidden_layers)
    check("num_nextn_predict_layers", config.num_nextn_predict_layers)
    if config.sparse_layers and not any(name.endswith(GATE_UP) for name in present):
        check("n_routed_experts", config.n_routed_experts)


def _layer(config: ModelConfig, layer: int) -> dict[str, Shape]:
    prefix, width = f"model.layers.{layer}.", config.hidden_size
    shapes: dict[str, Shape] = {"input_layernorm.weight": (width,)}
    shapes |= _attention(config)
    shapes["post_attention_layernorm.weight"] = (width,)
    sparse = config.is_sparse(layer)
    shapes |= _sparse_mlp(config) if sparse else _mlp("mlp.", width, config.intermediate_size)
    if sparse and config.post_mlp_norm:
        shapes["post_mlp_layernorm.weight"] = (width,)
    return {prefix + name: shape for name, shape in shapes.items()}


def _attention(config: ModelConfig) -> dict[str, Shape]:
    width, heads, rank = config.hidden_size, config.num_attention_heads, config.kv_lora_rank
    query = (heads * config.qk_head_dim, config.q_lora_rank or width)
    shapes: dict[str, Shape] = {"q_proj": query}
    if config.q_lora_rank is not None:
        shapes = {"q_a_proj": (config.q_lora_rank, width), "q_a_layernorm": (config.q_lora_rank,), "q_b_proj": query}
    shapes["kv_a_proj_with_mqa"] = (rank + config.qk_rope_head_dim, width)
    shapes["kv_a_layernorm"] = (rank,)
    shapes["kv_b_proj"] = (heads * (config.qk_nope_head_dim + config.v_head_dim), rank)
    shapes["o_proj"] = (width, heads * config.v_head_dim)
    return {f"self_attn.{name}.weight": shape for name, shape in shapes.items()}


def _mlp(prefix: str, width: int, inner: int) -> dict[str, Shape]:
    return {
        f"{prefix}gate_proj.weight": (inner, width),
        f"{prefix}up_proj.weight": (inner, width),
        f"{prefix}down_proj.weight": (width, inner),
    }


def _sparse_mlp(config: ModelConfig) -> dict[str, Shape]:
    experts, inner, width = config.n_routed_experts, config.moe_intermediate_size, config.hidden_size
    return {
        "mlp.gate.weight": (experts, width),
        SELECTION_BIAS: (experts,),
        GATE_UP: (experts, 2 * inner, width),
        DOWN: (experts, width, inner),
        **_mlp("mlp.shared_experts.", width, config.n_shared_experts * inner),
    }


def _mtp_layers(config: ModelConfig) -> range:
    return range(config.num_hidden_layers, config.num_hidden_layers + config.num_nextn_predict_layers)


def _pieces(name: str, shape: Shape, present: Mapping[str, Shape]) -> tuple[Piece, ...]:
    """The tensors that make up one parameter, whether they are there or not; none at all means zeros."""
    if name.endswith((GATE_UP, DOWN)) and name not in present:
        return expert_pieces(name, shape)
    if name.endswith(SELECTION_BIAS) and name not in present:
        return ()
    inside = name.replace(".post_mlp_layernorm.", ".mlp.post_mlp_layernorm.")
    # transformers keeps the norm inside the MLP module, the released files beside it
    return (Piece(name if name in present else inside if inside in present else name, shape),)


def _check_present(pieces: list[Piece], present: Mapping[str, Shape]) -> None:
    missing = [piece for piece in pieces if piece.tensor not in present]
    if missing:
        raise CheckpointError(f"tensor {missing[0].tensor} {list(missing[0].shape)} is missing{_others(len(missing))}")
    wrong = [piece for piece in pieces if tuple(present[piece.tensor]) != piece.shape]
    if wrong:
        found = list(present[wrong[0].tensor])
        raise CheckpointError(
            f"tensor {wrong[0].tensor} has shape {found}, wanted {list(wrong[0].shape)}{_others(len(wrong))}"
        )


def _dropped(config: ModelConfig, names: set[str], present: Mapping[str, Shape], *, mtp: bool) -> dict[str, str]:
    dropped: dict[str, str] = {}
    surplus: list[str] = []
    for name in sorted(names):
        reason = _why_unused(config, name, present, mtp=mtp)
        if reason is None:
            surplus.append(name)
        else:
            dropped[name] = reason
    if surplus:
        first = surplus[0]
        raise CheckpointError(f"tensor {first} {list(present[first])} is surplus{_others(len(surplus))}")
    return dropped


def _why_unused(config: ModelConfig, name: str, present: Mapping[str, Shape], *, mtp: bool) -> str | None:
    """The reason to leave a tensor aside; None when there is none."""
    if name.endswith("rotary_emb.inv_freq"):
        return "rotary frequencies are computed"
    if name == "lm_head.weight" and config.tie_word_embeddings:
        return "the head is the embedding"
    match = re.fullmatch(r"model\.layers\.(\d+)\.(.+)", name)
    if match is None:
        return None
    layer, rest = int(match[1]), match[2]
    if layer < config.num_hidden_layers:
        return _why_unused_in_layer(config, layer, rest)
    # a main layer too many has no eh_proj, and is not quietly taken for an MTP layer
    if f"model.layers.{layer}.eh_proj.weight" not in present:
        return None
    if not (mtp and layer in _mtp_layers(config)):
        return "multi-token prediction was not asked for"
    return "shared with the main model" if rest in ("embed_tokens.weight", "shared_head.head.weight") else None


def _why_unused_in_layer(config: ModelConfig, layer: int, rest: str) -> str | None:
    norm = rest in ("post_mlp_layernorm.weight", "mlp.post_mlp_layernorm.weight")
    if norm and config.post_mlp_norm and not config.is_sparse(layer):
        return "no loader applies the post-MLP norm of a dense layer"
    return None


def _others(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""
