"""How much memory the native back end takes, counted before it is built: weights in memory, slots, scratch.

The kernel maps a file's pages by sixteen, so a mapped weight may bring in up to 64 KiB on either side.

Letter: N tensors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from axk1.arch import ModelConfig
from axk1.checkpoint import CheckpointFolder, TensorInfo
from axk1.checkpoint.weights import StoredWeight, kind_of
from axk1.engine.streaming import Footprint

__all__ = ["native_footprint"]

PAGE, AROUND = 4096, 64 << 10
APART = 1 << 44  # bytes between files when all are counted on one line: more than any file has
PER_TENSOR = 4096  # what Python keeps of a stored tensor: names, places, views, the library's structs
PER_FOLDER = 24 << 20  # the library, tables, stacks of threads, pages of the heap that are not full
LEAST_ROWS = 8  # a slot is needed for every expert of a token, and some more to read into meanwhile
_EXPERT = re.compile(r"model\.layers\.(\d+)\.mlp\.experts\.(?:(\d+)\.)?")
_LAYER = re.compile(r"model\.layers\.(\d+)\.")


def native_footprint(
    folder: CheckpointFolder, max_batch_tokens: int, max_sequences: int, *, drafting: bool = False
) -> Footprint:
    """Everything but the cache, with the layer that drafts if it does. CheckpointError as `folder.weights`."""
    config = folder.config
    used = [one for one in folder.weights.values() if _layer(one.name) < config.num_hidden_layers + drafting]
    matches = [_EXPERT.match(one.name) for one in used]
    experts = [(match, one) for match, one in zip(matches, used, strict=True) if match]
    others = [one for match, one in zip(matches, used, strict=True) if not match]
    embedding = [one for one in others if one.name == "model.embed_tokens.weight" and not config.tie_word_embeddings]
    rows_only = [one for one in embedding if one.scheme is None and _own(one) == 0]  # read from the file, row by row
    resident = [one for one in others if one not in rows_only]
    keeps = len(folder.tensors) * PER_TENSOR + PER_FOLDER + sum(map(_own, others))
    beside = sum(_beside(one) for _, one in experts)
    bases = {file: number * APART for number, file in enumerate(folder.files)}
    sparse_layers = sum(config.is_sparse(index) for index in range(config.num_hidden_layers))
    return Footprint(
        weights=_mapped(used, bases) + keeps + beside,
        always=_mapped(resident, bases) + keeps + beside,
        slot=_slot(experts, config),
        least_slots=min(2 * config.num_experts_per_tok + LEAST_ROWS, sparse_layers * config.n_routed_experts),
        most_slots=sparse_layers * config.n_routed_experts,
        scratch=_scratch(config, max_batch_tokens) + max_sequences * config.vocab_size * 8,
        scratch_per_position=config.num_attention_heads * (_query(config) + config.v_head_dim) * 4,
        obstacle=_obstacle([one for _, one in experts]),
    )


def _layer(name: str) -> int:
    match = _LAYER.match(name)
    return int(match[1]) if match else 0


def _own(one: StoredWeight) -> int:
    """What the library's own form of a weight takes, 0 where it uses the mapped one; see `native_weights`."""
    numbers, kind = math.prod(one.shape), kind_of(one)
    if len(one.shape) == 1 or one.name.endswith(".mlp.gate.weight"):
        return numbers * 4
    up_projection = one.name.endswith(".kv_b_proj.weight")
    if up_projection and kind in ("f32", "f16"):
        return numbers * 4
    if kind == "fp8_block":
        return numbers * 2
    return numbers * 2 if kind == "int8" and not _packed(one) else _beside(one)


def _beside(one: StoredWeight) -> int:
    """Scales that are widened and zero points that are unpacked lie in memory of their own."""
    if one.scheme is None or kind_of(one) == "fp8_block":
        return 0
    scales = math.prod(one.parts["scale"].shape)
    return scales * ((0 if one.parts["scale"].dtype == "BF16" else 4) + (0 if one.scheme.symmetric else 1))


def _packed(one: StoredWeight) -> bool:
    return one.parts["values"].dtype == "I32"


def _obstacle(experts: list[StoredWeight]) -> str:
    if not experts:
        return "the model has no routed experts"
    for one in experts:
        if kind_of(one) == "fp8_block" or (kind_of(one) == "int8" and not _packed(one)):
            kind = "8-bit floats" if kind_of(one) == "fp8_block" else "int8 that is not packed"
            return f"its experts are {kind}, which has to be converted (`axk1 quantize` writes a folder without)"
    return ""


def _parts(one: StoredWeight) -> list[TensorInfo]:
    """The tensors that the library reads where they lie."""
    if one.scheme is None:
        return [one.parts["values"]]
    return [one.parts[role] for role in ("values", "scale") if role == "values" or one.parts[role].dtype == "BF16"]


def _mapped(weights: Sequence[StoredWeight], bases: Mapping[Path, int]) -> int:
    """Bytes of the pages that come into memory with these weights, of files that begin at `bases` on one long line."""
    parts = [info for one in weights for info in _parts(one)]
    starts_N = np.array([bases[info.file] + info.offset for info in parts], np.int64)
    ends_N = starts_N + np.array([info.nbytes for info in parts], np.int64)
    order_N = np.argsort(starts_N)
    first_N, upto_N = starts_N[order_N] // AROUND, -(-ends_N[order_N] // AROUND)
    reached_N = np.maximum.accumulate(np.append(0, upto_N))[:-1]  # by all before
    return AROUND * int(np.maximum(upto_N - np.maximum(first_N, reached_N), 0).sum())


def _slot(experts: list[tuple[re.Match[str], StoredWeight]], config: ModelConfig) -> int:
    """The largest expert: whole pages of its tensors."""
    sizes: dict[tuple[str, str | None], int] = {}
    for match, one in experts:
        share = 1 if match[2] else config.n_routed_experts
        size = sum(info.nbytes // share + 2 * PAGE for info in _parts(one))
        sizes[match[1], match[2]] = sizes.get((match[1], match[2]), 0) + size
    return max(sizes.values(), default=0)


def _query(config: ModelConfig) -> int:
    return config.qk_nope_head_dim + config.qk_rope_head_dim


def _scratch(config: ModelConfig, tokens: int) -> int:
    """The buffers of src/forward.h for a batch: floats, the same in half the size, and as int8 with scales and sums."""
    heads, hidden, latent = config.num_attention_heads, config.hidden_size, config.kv_lora_rank
    pairs = tokens * (config.num_experts_per_tok + 1)
    inner = max(config.moe_intermediate_size, config.moe_intermediate_size * config.n_shared_experts)
    float_, all_forms, row = 4, 4 + 4 + 5, 96
    attention = tokens * (
        (hidden * 2 + max(config.q_lora_rank or 0, heads * config.v_head_dim)) * all_forms
        + heads * (_query(config) * 2 + (latent + config.qk_rope_head_dim) * 3 + config.v_head_dim) * float_
        + heads * latent * 5
        + heads * row
    )
    experts = pairs * (hidden * float_ + inner * all_forms + 2 * row) + tokens * config.n_routed_experts * float_
    dense = tokens * config.intermediate_size * all_forms
    return attention + experts + dense + (8 << 20)
