"""A checkpoint's weights as the native library wants them: pointers into the mapped files.

Matrices are used where they lie. In memory of their own are only norms, routers and selection biases, which are small
and always computed in float32; the up-projection of keys and values when it is float16; zero points, unpacked; and
8-bit floats, which become bfloat16.
"""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axk1.arch import LATENT_NORM_EPS, attention_factor, softmax_scale
from axk1.checkpoint import CheckpointFolder
from axk1.checkpoint.floats import from_float32, to_float32
from axk1.checkpoint.weights import StoredWeight, Weight, kind_of
from axk1.engine.backend import CacheChoice
from axk1.engine.native_library import FORMATS, VERSION, File, Layer, Matrix, ModelSpec, Mtp, StoreSpec
from axk1.engine.reference.weights import not_finite, planned, values
from axk1.engine.rope import frequencies

__all__ = ["NativeWeights"]


class NativeWeights:
    """Builds the library's description of a model and keeps alive what it points to."""

    def __init__(self, folder: CheckpointFolder, *, drafting: bool = False) -> None:
        self._folder = folder
        self._config = folder.config
        self._kept: list[object] = []
        self._drafting = drafting
        self._sources = planned(folder, mtp=drafting).sources

    def spec(
        self,
        blocks: int,
        block_size: int,
        threads: int,
        store: StoreSpec | None = None,
        *,
        cache: CacheChoice = "auto",
    ) -> ModelSpec:
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
            *(block_size, blocks, threads, FORMATS["int8"] if cache == "int8" else 0),
            ctypes.pointer(self._mtp()) if self._drafting else None,
            ctypes.pointer(store) if store else None,
        )

    def _mtp(self) -> Mtp:
        at = f"model.layers.{self._config.num_hidden_layers}."
        return Mtp(
            embedding_norm=self._vector(f"{at}enorm.weight"),
            state_norm=self._vector(f"{at}hnorm.weight"),
            join=self._matrix(f"{at}eh_proj.weight"),
            layer=self._layer(self._config.num_hidden_layers),
            final_norm=self._vector(f"{at}shared_head.norm.weight"),
        )

    def store(self, nbytes: int, readers: int, *, read_ahead: bool) -> StoreSpec:
        """For experts that stay on disk, but for `nbytes` of them."""
        files = (File * len(self._folder.files))()
        for place, file in zip(files, self._folder.files, strict=True):
            place.path, place.map, place.bytes = os.fsencode(file), self._folder.start(file), file.stat().st_size
        return StoreSpec(files, len(files), readers, nbytes, int(read_ahead), 0)

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
            rows = pieces[0].shape[1]
            return lambda expert, row: (pieces[0].tensor, expert * rows + row)
        apart = {(piece.expert, piece.first_row): piece.tensor for piece in pieces}
        return lambda expert, row: (apart[expert, row], 0)

    def _matrix(self, name: str) -> Matrix:
        (piece,) = self._sources[name]
        return self._part(piece.tensor, 0, *piece.shape)

    def _up_projection(self, name: str) -> Matrix:
        """Read along its rows and along its columns, for which the library has no float16. Of integers the scales are
        looked at: one that is not finite would spoil every head."""
        (piece,) = self._sources[name]
        stored = self._folder.weights[piece.tensor]
        if kind_of(stored) in ("int4", "int8"):
            scale = stored.parts["scale"]
            if not np.isfinite(to_float32(self._folder.raw(scale.name), scale.dtype)).all():
                raise not_finite(stored)
            return self._part(piece.tensor, 0, *piece.shape)
        return self._decoded(piece.tensor, piece.shape, {"f32": "F32", "f16": "F32"})

    def _part(self, tensor: str, first_row: int, rows: int, columns: int) -> Matrix:
        """Rows of a weight, where they lie in the mapped file."""
        stored = self._folder.weights[tensor]
        kind = kind_of(stored)
        if kind == "fp8_block":
            return self._decoded(tensor, (rows, columns), {})
        if kind in ("int4", "int8"):
            return self._mapped_integers(stored) or self._integers(self._folder.weight(tensor), rows, columns)
        part = stored.parts["values"]
        offset = first_row * columns * part.nbytes // math.prod(stored.shape)
        return Matrix(self._folder.address(part) + offset, FORMATS[kind], rows, columns)

    def _decoded(self, tensor: str, shape: tuple[int, ...], wide: Mapping[str, str]) -> Matrix:
        """A weight in memory of its own: as it lies in bfloat16, widened where `wide` says so, else rounded to it."""
        kind = self._folder.weight(tensor).kind
        if kind == "bf16":
            return self._part(tensor, 0, *shape)
        dtype = wide.get(kind, "BF16")
        stored = from_float32(values(self._folder, tensor), dtype)
        return Matrix(self._address(np.ascontiguousarray(stored)), FORMATS[dtype.lower()], *shape)

    def _mapped_integers(self, stored: StoredWeight) -> Matrix | None:
        """Codes and scales where they lie; None where one of them has to be rewritten."""
        (rows, columns), scheme, codes, scale = (
            stored.shape,
            stored.scheme,
            stored.parts["values"],
            stored.parts["scale"],
        )
        assert scheme is not None
        if codes.dtype != "I32" or scale.dtype != "BF16" or not scheme.symmetric:
            return None
        address = self._folder.address
        return Matrix(
            *(address(codes), FORMATS[f"int{scheme.bits}"], rows, columns, scheme.group_size or columns),
            *(address(scale), None, FORMATS["bf16"]),
        )

    def _integers(self, weight: Weight, rows: int, columns: int) -> Matrix:
        assert weight.scale is not None
        codes = np.frombuffer(weight.values, np.uint8)
        if not weight.packed:  # plain int8: signed, and without the padding to whole words
            signed = codes.reshape(rows, columns) ^ np.uint8(0x80)
            codes = np.pad(signed, ((0, 0), (0, -columns % 4)))
        zero = None if weight.zero_point is None else self._address(zero_points(weight, rows))
        return Matrix(
            *(self._address(np.ascontiguousarray(codes)), FORMATS[weight.kind], rows, columns),
            *(weight.group_size or columns, *self._scales(weight, zero)),
        )

    def _scales(self, weight: Weight, zero: int | None) -> tuple[int, int | None, int]:
        """The fields scale, zero, scale_format: bfloat16 as it lies, other types as float32."""
        assert weight.scale is not None
        if weight.scale_dtype == "BF16":
            return self._address(np.frombuffer(weight.scale, np.uint16)), zero, FORMATS["bf16"]
        return self._floats(to_float32(weight.scale, weight.scale_dtype)), zero, FORMATS["f32"]

    def _vector(self, name: str) -> int | None:
        """A small tensor as float32; None where no tensor gives it (a selection bias of zeros)."""
        if name not in self._sources:
            return None
        (piece,) = self._sources[name]
        return self._floats(values(self._folder, piece.tensor))

    def _floats(self, numbers: NDArray[np.float32]) -> int:
        return self._address(np.ascontiguousarray(numbers, np.float32))

    def _address(self, array: NDArray[Any]) -> int:
        """Where the array begins, which is kept from now on."""
        self._kept.append(array)
        return array.ctypes.data


def zero_points(weight: Weight, rows: int) -> NDArray[np.uint8]:
    """Unsigned, as codes are stored, [rows, groups]; files pack them down the rows, the first in the lowest bits."""
    assert weight.zero_point is not None
    groups = 1 if weight.group_size is None else weight.shape[1] // weight.group_size
    if not weight.packed:
        return np.frombuffer(weight.zero_point, np.uint8).reshape(rows, groups) ^ np.uint8(0x80)
    bits = 4 if weight.kind == "int4" else 8
    words_RG = np.frombuffer(weight.zero_point, "<u4").reshape(-1, groups)
    shifts_P = np.arange(0, 32, bits, dtype=np.uint32)
    spread_RPG = words_RG[:, None] >> shifts_P[:, None] & np.uint32((1 << bits) - 1)
    return spread_RPG.reshape(-1, groups)[:rows].astype(np.uint8)
