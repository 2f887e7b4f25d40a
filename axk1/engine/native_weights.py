"""A checkpoint's tensors as the native library wants them: pointers into the mapped files, small ones as float32.

Matrices are used where they lie; only norms, routers and selection biases are converted, since they are small and
always computed in float32.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from axk1.checkpoint import CheckpointError, CheckpointFolder, plan
from axk1.checkpoint.tensorfile import DTYPE_BYTES
from axk1.engine.native_library import FORMATS, VERSION, Layer, Matrix, ModelSpec
from axk1.engine.reference.attention import LATENT_NORM_EPS
from axk1.engine.reference.weights import values
from axk1.engine.rope import attention_factor, frequencies, softmax_scale

__all__ = ["NativeWeights"]


class NativeWeights:
    """Builds the library's description of a model and keeps alive what it points to."""

    def __init__(self, folder: CheckpointFolder) -> None:
        self._folder = folder
        self._config = folder.config
        self._kept: list[object] = []
        try:
            present = {name: info.shape for name, info in folder.tensors.items()}
            self._sources = plan(folder.config, present).sources
        except CheckpointError as error:
            raise CheckpointError(f"{folder.path}: {error}") from error

    def spec(self, blocks: int, block_size: int, threads: int) -> ModelSpec:
        """The whole model; CheckpointError for a tensor in a format that the library does not read."""
        config = self._config
        rope = config.rope_parameters
        embedding = self._matrix("model.embed_tokens.weight")
        layers = (Layer * config.num_hidden_layers)(*(self._layer(index) for index in range(config.num_hidden_layers)))
        return ModelSpec(
            *(VERSION, config.hidden_size, config.num_hidden_layers, config.vocab_size, config.num_attention_heads),
            *(config.kv_lora_rank, config.qk_nope_head_dim, config.qk_rope_head_dim, config.v_head_dim),
            *(config.n_routed_experts, config.num_experts_per_tok, config.n_group, config.topk_group),
            *(config.norm_topk_prob, config.routed_scaling_factor, config.rms_norm_eps, LATENT_NORM_EPS),
            *(softmax_scale(config), attention_factor(rope)),
            self._floats(frequencies(rope, config.qk_rope_head_dim)),
            embedding,
            self._vector("model.norm.weight"),
            embedding if config.tie_word_embeddings else self._matrix("lm_head.weight"),
            layers,
            *(block_size, blocks, threads, 0),
        )

    def _layer(self, index: int) -> Layer:
        config, at = self._config, f"model.layers.{index}."
        sparse = config.is_sparse(index)
        low_rank = config.q_lora_rank is not None
        shared = f"{at}mlp.shared_experts." if sparse else f"{at}mlp."
        return Layer(
            input_norm=self._vector(f"{at}input_layernorm.weight"),
            q_a=self._matrix(f"{at}self_attn.q_a_proj.weight") if low_rank else Matrix(),
            q_a_norm=self._vector(f"{at}self_attn.q_a_layernorm.weight") if low_rank else None,
            q_b=self._matrix(f"{at}self_attn.{'q_b_proj' if low_rank else 'q_proj'}.weight"),
            kv_a=self._matrix(f"{at}self_attn.kv_a_proj_with_mqa.weight"),
            kv_a_norm=self._vector(f"{at}self_attn.kv_a_layernorm.weight"),
            kv_b=self._up_projection(f"{at}self_attn.kv_b_proj.weight"),
            o=self._matrix(f"{at}self_attn.o_proj.weight"),
            post_attention_norm=self._vector(f"{at}post_attention_layernorm.weight"),
            gate=self._matrix(f"{shared}gate_proj.weight"),
            up=self._matrix(f"{shared}up_proj.weight"),
            down=self._matrix(f"{shared}down_proj.weight"),
            router=self._vector(f"{at}mlp.gate.weight") if sparse else None,
            selection_bias=self._vector(f"{at}mlp.gate.e_score_correction_bias") if sparse else None,
            experts=self._experts(at) if sparse else None,
            post_mlp_norm=self._vector(f"{at}post_mlp_layernorm.weight") if sparse and config.post_mlp_norm else None,
        )

    def _experts(self, at: str) -> int:
        """The address of gate, up and down of every expert, whichever layout the file has."""
        inner, hidden = self._config.moe_intermediate_size, self._config.hidden_size
        gate_up = self._by_expert(f"{at}mlp.experts.gate_up_proj")
        down = self._by_expert(f"{at}mlp.experts.down_proj")
        matrices = []
        for expert in range(self._config.n_routed_experts):
            matrices += [
                self._part(*gate_up(expert, 0), inner, hidden),
                self._part(*gate_up(expert, inner), inner, hidden),
                self._part(*down(expert, 0), hidden, inner),
            ]
        array = (Matrix * len(matrices))(*matrices)
        self._kept.append(array)
        return ctypes.addressof(array)

    def _by_expert(self, name: str) -> Callable[[int, int], tuple[str, int]]:
        """(expert, first row) -> the tensor and the row in it where those rows of the fused parameter begin."""
        pieces = self._sources[name]
        if pieces[0].expert is None:
            rows = self._folder.tensors[pieces[0].tensor].shape[1]
            return lambda expert, row: (pieces[0].tensor, expert * rows + row)
        apart = {(piece.expert, piece.first_row): piece.tensor for piece in pieces}
        return lambda expert, row: (apart[expert, row], 0)

    def _matrix(self, name: str) -> Matrix:
        (piece,) = self._sources[name]
        return self._part(piece.tensor, 0, *piece.shape)

    def _up_projection(self, name: str) -> Matrix:
        """Read along its rows and along its columns, which the library does not do in float16: that is widened."""
        (piece,) = self._sources[name]
        if self._folder.tensors[piece.tensor].dtype != "F16":
            return self._matrix(name)
        return Matrix(self._floats(values(self._folder, piece.tensor)), FORMATS["F32"], *piece.shape, 0)

    def _part(self, tensor: str, first_row: int, rows: int, columns: int) -> Matrix:
        """Rows of a tensor, where they lie in the mapped file."""
        info = self._folder.tensors[tensor]
        if info.dtype not in FORMATS:
            raise CheckpointError(f"{info.file}: tensor {tensor} has dtype {info.dtype}, wanted {', '.join(FORMATS)}")
        mapped = np.frombuffer(self._folder.raw(tensor), np.uint8)
        self._kept.append(mapped)
        offset = first_row * columns * DTYPE_BYTES[info.dtype]
        return Matrix(mapped.ctypes.data + offset, FORMATS[info.dtype], rows, columns, 0)

    def _vector(self, name: str) -> int | None:
        """A small tensor as float32; None where no tensor gives it (a selection bias of zeros)."""
        if name not in self._sources:
            return None
        (piece,) = self._sources[name]
        return self._floats(values(self._folder, piece.tensor))

    def _floats(self, numbers: NDArray[np.float32]) -> int:
        kept = np.ascontiguousarray(numbers, np.float32)
        self._kept.append(kept)
        return kept.ctypes.data
