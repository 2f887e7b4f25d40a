"""The tensors of the folder that quantising writes, and where the numbers of each come from.

Experts are written one by one, which is what readers of compressed-tensors want, however the source holds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from axk1.arch import ModelConfig
from axk1.checkpoint import CheckpointError, CheckpointFolder, Piece, Scheme, Shape, expected, plan
from axk1.checkpoint.floats import SMALLEST
from axk1.checkpoint.names import DOWN, GATE_UP, SELECTION_BIAS, expert_pieces
from axk1.checkpoint.quantization import Role, codec
from axk1.checkpoint.tensorfile import Entry
from axk1.export.quantize_formats import Formats, Part, check_fits, part_of, quantization_config


@dataclass(frozen=True)
class NewWeight:
    """One weight of the new folder.

    `dtype` is its type when it is kept. Its rows are those of the source's weight `source` from `first_row` on, or
    `fill` everywhere when there is no source.
    """

    name: str
    shape: Shape
    dtype: str
    scheme: Scheme | None = None
    source: str | None = None
    first_row: int = 0
    fill: float = 0.0

    @property
    def part(self) -> Part | None:
        """The part of the model it belongs to."""
        return part_of(self.name)

    def entries(self) -> dict[Role, Entry]:
        """The tensors it is stored as."""
        if self.scheme is None:
            return {"values": Entry(self.name, self.shape, self.dtype)}
        found = codec(self.scheme.codec)
        module = self.name.removesuffix(".weight")
        layout = found.layout(self.shape, self.scheme)
        return {role: Entry(f"{module}.{found.leaves[role]}", leaf.shape, leaf.dtype) for role, leaf in layout.items()}


def outputs(source: CheckpointFolder, formats: Formats) -> tuple[ModelConfig, list[NewWeight]]:
    """The new folder's shape and weights, in the order of the forward pass. MTP layers stay if the source has them.

    Raises CheckpointError when the source does not hold its model, or groups do not divide a weight's columns.
    """
    shapes = {name: stored.shape for name, stored in source.weights.items()}
    first_mtp = f"model.layers.{source.config.num_hidden_layers}.eh_proj.weight"
    mtp = source.config.num_nextn_predict_layers if first_mtp in shapes else 0
    config = replace(source.config, num_nextn_predict_layers=mtp)
    mapping = plan(config, shapes, mtp=mtp > 0)
    found = [
        _quantised(weight, formats)
        for name, shape in expected(config, mtp=mtp > 0).items()
        for weight in _weights(name, shape, config, source, mapping.sources.get(name, ()))
    ]
    return config, found


def planned(config: ModelConfig, formats: Formats, dtype: str) -> list[NewWeight]:
    """The weights of a model that has no source yet; norms are ones, selection biases zeros, the rest is up to you."""
    weights: list[NewWeight] = []
    for name, shape in expected(config).items():
        fill = 1.0 if name.endswith("norm.weight") else 0.0
        kept = "F32" if name.endswith(SELECTION_BIAS) else dtype
        pieces = expert_pieces(name, shape) if name.endswith((GATE_UP, DOWN)) else (Piece(name, shape),)
        weights += [_quantised(NewWeight(one.tensor, one.shape, kept, fill=fill), formats) for one in pieces]
        weights += _unused_norm(name, config, dtype, None)
    return weights


def config_json(config: ModelConfig, formats: Formats, dtype: str) -> dict[str, Any]:
    """The whole config.json; `dtype` is the type of what is kept."""
    names = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}
    quantization = {"quantization_config": quantization_config(formats)}
    return {**config.to_huggingface(), "dtype": names[dtype], **quantization}


def main_dtype(source: CheckpointFolder) -> str:
    """The float type that kept weights and scales have: that of the embedding, BF16 when it is quantised.

    CheckpointError for a type that no reader of compressed-tensors takes.
    """
    stored = source.weights.get("model.embed_tokens.weight")
    dtype = "BF16" if stored is None or stored.scheme else stored.parts["values"].dtype
    if dtype not in SMALLEST:
        raise CheckpointError(f"{source.path}: the embedding has dtype {dtype}, wanted {', '.join(SMALLEST)}")
    return dtype


def _quantised(weight: NewWeight, formats: Formats) -> NewWeight:
    scheme = formats.of(weight.part)
    if scheme is None:
        return weight
    check_fits(weight.name, weight.shape, scheme)
    return replace(weight, scheme=scheme)


def _weights(
    name: str, shape: Shape, config: ModelConfig, source: CheckpointFolder, pieces: tuple[Piece, ...]
) -> Iterator[NewWeight]:
    """The weights that one parameter becomes; no pieces: a selection bias that the source leaves out."""
    dtype = main_dtype(source)
    if not pieces:
        yield NewWeight(name, shape, "F32")
    elif name.endswith((GATE_UP, DOWN)) and pieces[0].expert is None:
        for piece in expert_pieces(name, shape):
            assert piece.expert is not None
            row = piece.expert * shape[1] + piece.first_row
            yield NewWeight(piece.tensor, piece.shape, dtype, None, name, row)
    else:
        for piece in pieces:
            stored = source.weights[piece.tensor]
            kept = dtype if stored.scheme else stored.parts["values"].dtype
            yield NewWeight(name if piece.expert is None else piece.tensor, piece.shape, kept, None, piece.tensor)
    yield from _unused_norm(name, config, dtype, source)


def _unused_norm(name: str, config: ModelConfig, dtype: str, source: CheckpointFolder | None) -> list[NewWeight]:
    """vLLM refuses A.X K1 without the norm of a dense layer, though it never applies it."""
    layer = name.removesuffix("mlp.down_proj.weight")
    if layer == name or not config.post_mlp_norm:
        return []
    norm = f"{layer}post_mlp_layernorm.weight"
    there = norm if source and norm in source.weights else None
    return [NewWeight(norm, (config.hidden_size,), dtype, None, there, fill=1.0)]
