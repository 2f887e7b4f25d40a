"""Small folders of every storage that the reader knows, as bytes by file name; NumPy alone, so that a fork is cheap."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from axk1.arch import ModelConfig, RopeParameters
from axk1.checkpoint import Scheme, expected
from axk1.checkpoint.floats import from_float32
from axk1.checkpoint.names import DOWN, GATE_UP, SELECTION_BIAS, expert_pieces
from axk1.checkpoint.quantization import codec
from axk1.checkpoint.tensorfile import Entry
from axk1.export.shards import write_json, write_shards

Files = dict[str, bytes]

K1 = ModelConfig(
    vocab_size=48, hidden_size=32, intermediate_size=64, moe_intermediate_size=32, num_hidden_layers=2,
    num_attention_heads=2, num_key_value_heads=2, n_routed_experts=4, num_experts_per_tok=2, n_group=2, topk_group=1,
    q_lora_rank=32, kv_lora_rank=32, qk_nope_head_dim=16, qk_rope_head_dim=8, v_head_dim=16,
    max_position_embeddings=64, rope_parameters=RopeParameters("yarn", original_max_position_embeddings=16, factor=4.0),
)  # fmt: skip
V3 = replace(K1, model_type="deepseek_v3", q_lora_rank=None, tie_word_embeddings=True, rope_parameters=RopeParameters())
INT4 = Scheme("pack-quantized", 4, 32, scale_dtype="BF16")
INT8 = Scheme("pack-quantized", 8, None, symmetric=False, scale_dtype="F16")
PLAIN8 = Scheme("int-quantized", 8, None, scale_dtype="F32")
FP8 = Scheme("fp8", 8, 16, block_rows=16, scale_dtype="F32")


@dataclass(frozen=True)
class Storage:
    """How a folder holds its numbers."""

    config: ModelConfig = K1
    dtype: str = "BF16"
    scheme: Scheme | None = None
    shard_bytes: int = 1 << 30
    fused: bool = False


STORAGES: Mapping[str, Storage] = {
    "float32": Storage(dtype="F32"),
    "bfloat16, shards": Storage(shard_bytes=20_000),
    "float16, fused, v3": Storage(V3, "F16", fused=True),
    "int4": Storage(scheme=INT4),
    "int8, zero points, shards": Storage(V3, "F16", INT8, 20_000),
    "plain int8": Storage(dtype="F32", scheme=PLAIN8),
    "fp8 blocks": Storage(scheme=FP8),
}


def files(storage: Storage) -> Files:
    """The folder's files."""
    entries, arrays = _tensors(storage)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_shards(folder, entries, lambda name: memoryview(arrays[name]), storage.shard_bytes)
        write_json(folder / "config.json", {**storage.config.to_huggingface(), **_quantization(storage.scheme)})
        write_json(folder / "generation_config.json", {"eos_token_id": [1, 2]})
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _tensors(storage: Storage) -> tuple[list[Entry], dict[str, bytes]]:
    rng = np.random.default_rng(0)
    entries: list[Entry] = []
    arrays: dict[str, bytes] = {}
    for name, shape in _shapes(storage):
        values = rng.normal(1.0 if len(shape) == 1 else 0.0, 0.1, shape).astype(np.float32)
        quantised = storage.scheme and "_proj" in name and "." in name.removesuffix(".weight")
        for stored, array, dtype in _stored(name, values, storage, storage.scheme if quantised else None):
            entries.append(Entry(stored, array.shape, dtype))
            arrays[stored] = array.tobytes()
    return entries, arrays


def _shapes(storage: Storage) -> list[tuple[str, tuple[int, ...]]]:
    found: list[tuple[str, tuple[int, ...]]] = []
    for name, shape in expected(storage.config).items():
        if name.endswith((GATE_UP, DOWN)) and not storage.fused:
            found += [(piece.tensor, piece.shape) for piece in expert_pieces(name, shape)]
        else:
            found.append((name, shape))
    return found


def _stored(name: str, values: Any, storage: Storage, scheme: Scheme | None) -> list[tuple[str, Any, str]]:
    if scheme is None:
        dtype = "F32" if name.endswith(SELECTION_BIAS) else storage.dtype
        return [(name, from_float32(values, dtype).reshape(values.shape), dtype)]
    found, module = codec(scheme.codec), name.removesuffix(".weight")
    layout, parts = found.layout(values.shape, scheme), found.encode(values, scheme)
    named = [(f"{module}.{found.leaves[role]}", parts[role], leaf) for role, leaf in layout.items()]
    assert all(math.prod(array.shape) == math.prod(leaf.shape) for _, array, leaf in named)
    return [(stored, array.reshape(leaf.shape), leaf.dtype) for stored, array, leaf in named]


def _quantization(scheme: Scheme | None) -> dict[str, Any]:
    if scheme is None:
        return {}
    described = codec(scheme.codec).describe(scheme)
    if scheme.codec == "fp8":
        return {"quantization_config": described}
    group = {"group_0": {**described, "targets": ["Linear"], "format": scheme.codec}}
    settings = {"quant_method": "compressed-tensors", "format": scheme.codec, "config_groups": group}
    return {"quantization_config": json.loads(json.dumps({**settings, "ignore": ["lm_head", "re:.*mlp.gate$"]}))}
