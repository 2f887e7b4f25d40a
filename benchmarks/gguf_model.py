"""A GGUF file of random weights for llama.cpp: the architecture `deepseek2` in the shape of a config.json.

    python gguf_model.py FOLDER BF16|Q8_0|Q4_K OUT.gguf

Runs in llama.cpp's environment (peers/llamacpp.sh). Weights are made as what is stored and go to disk piece by piece,
so a model larger than memory can be made. They are normal with the config's `initializer_range`; the router is random
too, hence tokens go to all experts. The norm after the MLP, which A.X K1 has and llama.cpp has not, is left out, and so
is the stretching of positions: neither costs time. Rows that are no whole number of Q4_K's blocks are Q8_0.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

PIECE = 1 << 22  # weights that are made at once
LITE_LAYERS = (26, 27)  # llama.cpp knows models with full-rank queries by these, and by 48 with a vocabulary of 128,256


@dataclass(frozen=True)
class Tensor:
    """A tensor as `gguf.GGUFWriter.write_tensor_data` takes it, made while it is written."""

    name: str
    shape: tuple[int, ...]
    stored: Type
    spread: float = 0.0  # standard deviation; 0: all are `fill`
    fill: float = 1.0

    @property
    def weights(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        block, size = gguf.GGML_QUANT_SIZES[self.stored]
        return self.weights // block * size

    def tofile(self, file: BinaryIO) -> None:
        rng = np.random.default_rng(list(self.name.encode()))
        counts = (min(PIECE, self.weights - first) for first in range(0, self.weights, PIECE))
        file.writelines(self._piece(count, rng).tobytes() for count in counts)

    def _piece(self, count: int, rng: np.random.Generator) -> np.ndarray:
        if not self.spread:
            return np.full(count, self.fill, np.float32)
        make = {Type.F32: float32, Type.BF16: bfloat16, Type.Q8_0: q8_0, Type.Q4_K: q4_k}[self.stored]
        return make(count, self.spread, rng)


def float32(count: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(count, np.float32) * np.float32(spread)


def bfloat16(count: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Drawn from 65,536 normal numbers, cut to their upper halves."""
    table = (float32(1 << 16, spread, rng).view(np.uint32) >> 16).astype(np.uint16)
    return table[np.frombuffer(rng.bytes(2 * count), np.uint16)]


def q8_0(count: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Blocks of 32: a half-precision scale, then the codes."""
    table = np.clip(np.rint(float32(1 << 16, 42.0, rng)), -127, 127).astype(np.int8)
    blocks = np.empty(count // 32, [("scale", "<f2"), ("codes", "i1", 32)])
    blocks["scale"] = spread / table.std() * rng.uniform(0.75, 1.25, len(blocks))
    blocks["codes"] = table[np.frombuffer(rng.bytes(2 * count), np.uint16)].reshape(-1, 32)
    return blocks


def q4_k(count: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Blocks of 256, eight groups: scale, offset, 6-bit multiples of them for each group, then codes of 0 to 15.

    weight = scale * multiple * code - offset * multiple; with offset = 7.5 scale the mean is 0.
    """
    blocks = np.empty(
        count // 256, [("scale", "<f2"), ("offset", "<f2"), ("multiples", "u1", 12), ("codes", "u1", 128)]
    )
    multiples = rng.integers(42, 64, (len(blocks), 8), np.uint8)  # the same for scale and offset
    low, high = multiples[:, :4], multiples[:, 4:]
    blocks["multiples"][:, 0:4] = blocks["multiples"][:, 4:8] = low | (high >> 4 << 6)
    blocks["multiples"][:, 8:12] = (high & 15) | (high & 15) << 4
    codes_std = np.arange(16).std()
    blocks["scale"] = spread / codes_std / 52.5
    blocks["offset"] = 7.5 * blocks["scale"].astype(np.float32)
    blocks["codes"] = np.frombuffer(rng.bytes(count // 2), np.uint8).reshape(-1, 128)
    return blocks


@dataclass(frozen=True)
class Model:
    """The tensors of one shape."""

    config: dict[str, Any]
    stored: Type

    def matrix(self, name: str, *shape: int) -> Tensor:
        whole = shape[-1] % gguf.GGML_QUANT_SIZES[self.stored][0] == 0
        return Tensor(f"{name}.weight", shape, self.stored if whole else Type.Q8_0, self.config["initializer_range"])

    def norm(self, name: str, width: int) -> Tensor:
        return Tensor(f"{name}.weight", (width,), Type.F32)

    def tensors(self) -> Iterator[Tensor]:
        vocab, width = self.config["vocab_size"], self.config["hidden_size"]
        yield self.matrix("token_embd", vocab, width)
        yield self.matrix("output", vocab, width)
        yield self.norm("output_norm", width)
        for layer in range(self.config["num_hidden_layers"]):
            yield from self.attention(f"blk.{layer}")
            sparse = layer >= self.config["first_k_dense_replace"]
            yield from self.experts(f"blk.{layer}") if sparse else self.dense(f"blk.{layer}")

    def attention(self, layer: str) -> Iterator[Tensor]:
        config, width = self.config, self.config["hidden_size"]
        heads, latent, rotated = config["num_attention_heads"], config["kv_lora_rank"], config["qk_rope_head_dim"]
        plain, value, query = config["qk_nope_head_dim"], config["v_head_dim"], config["q_lora_rank"]
        yield self.norm(f"{layer}.attn_norm", width)
        if query:
            yield self.norm(f"{layer}.attn_q_a_norm", query)
            yield self.matrix(f"{layer}.attn_q_a", query, width)
        yield self.matrix(f"{layer}.attn_q{'_b' if query else ''}", heads * (plain + rotated), query or width)
        yield self.norm(f"{layer}.attn_kv_a_norm", latent)
        yield self.matrix(f"{layer}.attn_kv_a_mqa", latent + rotated, width)
        yield self.matrix(f"{layer}.attn_k_b", heads, latent, plain)
        yield self.matrix(f"{layer}.attn_v_b", heads, value, latent)
        yield self.matrix(f"{layer}.attn_output", width, heads * value)
        yield self.norm(f"{layer}.ffn_norm", width)

    def dense(self, layer: str) -> Iterator[Tensor]:
        yield from self.mlp(layer, "", self.config["intermediate_size"])

    def experts(self, layer: str) -> Iterator[Tensor]:
        config = self.config
        experts, inner = config["n_routed_experts"], config["moe_intermediate_size"]
        router = (experts, config["hidden_size"])
        yield Tensor(f"{layer}.ffn_gate_inp.weight", router, Type.F32, config["initializer_range"])
        yield Tensor(f"{layer}.exp_probs_b.bias", (experts,), Type.F32, fill=0.0)
        yield from self.mlp(layer, "_exps", inner, experts)
        yield from self.mlp(layer, "_shexp", inner * config["n_shared_experts"])

    def mlp(self, layer: str, kind: str, inner: int, *leading: int) -> Iterator[Tensor]:
        width = self.config["hidden_size"]
        yield self.matrix(f"{layer}.ffn_gate{kind}", *leading, inner, width)
        yield self.matrix(f"{layer}.ffn_up{kind}", *leading, inner, width)
        yield self.matrix(f"{layer}.ffn_down{kind}", *leading, width, inner)


def describe(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    """The header's keys."""
    latent, rotated = config["kv_lora_rank"], config["qk_rope_head_dim"]
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("none")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_leading_dense_block_count(config["first_k_dense_replace"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_rope_dimension_count(rotated)
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(1)  # attention works on the latents, one for all heads
    writer.add_key_length(latent + rotated)
    writer.add_value_length(latent)
    writer.add_key_length_mla(config["qk_nope_head_dim"] + rotated)
    writer.add_value_length_mla(config["v_head_dim"])
    writer.add_kv_lora_rank(latent)
    if config["q_lora_rank"]:
        writer.add_q_lora_rank(config["q_lora_rank"])
    describe_experts(writer, config)


def describe_experts(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    writer.add_expert_count(config["n_routed_experts"])
    writer.add_expert_used_count(config["num_experts_per_tok"])
    writer.add_expert_shared_count(config["n_shared_experts"])
    writer.add_expert_weights_scale(config["routed_scaling_factor"])
    writer.add_expert_weights_norm(config["norm_topk_prob"])
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    if config["n_group"] > 1:
        writer.add_expert_group_count(config["n_group"])
        writer.add_expert_group_used_count(config["topk_group"])


def check(config: dict[str, Any]) -> None:
    layers, vocab = config["num_hidden_layers"], config["vocab_size"]
    known = layers in LITE_LAYERS or (layers, vocab) == (48, 128256)
    if known == bool(config["q_lora_rank"]):
        raise SystemExit(
            f"llama.cpp takes a model of {layers} layers and {vocab} tokens for one "
            f"{'with' if known else 'without'} full-rank queries: choose another number of layers"
        )
    if config["moe_layer_freq"] != 1:
        raise SystemExit("llama.cpp reads no model whose sparse layers alternate with dense ones")


def write(config: dict[str, Any], stored: Type, out: Path) -> None:
    """`out` is there only when it is whole."""
    check(config)
    partial = out.with_suffix(".partial")
    writer = gguf.GGUFWriter(partial, "deepseek2")
    describe(writer, config)
    tensors = list(Model(config, stored).tensors())
    for one in tensors:
        writer.add_tensor_info(one.name, one.shape, np.dtype(np.float32), one.nbytes, raw_dtype=one.stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for one in tensors:
        writer.write_tensor_data(one)
    writer.close()
    partial.rename(out)


if __name__ == "__main__":
    shape = json.loads((Path(sys.argv[1]) / "config.json").read_text(encoding="utf-8"))
    write(shape, Type[sys.argv[2]], Path(sys.argv[3]))
