"""A Hugging Face folder into the torch model: every tensor goes straight from the mapped file to its parameter."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from axk1.arch import ModelConfig
from axk1.checkpoint import CheckpointError, CheckpointFolder, Piece, TensorInfo, plan
from axk1.model.operators import Operators
from axk1.model.transformer import Transformer

FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def load(
    folder: Path, dtype: torch.dtype | None = None, operators: Operators | None = None, *, mtp: bool = False
) -> Transformer:
    """The model of a checkpoint folder, on the CPU, in evaluation mode.

    `dtype` None keeps that of the stored embedding (routers are float32 in any case). `mtp` reads the
    multi-token-prediction layers too, which are otherwise left out of the model. Raises CheckpointError naming the
    tensor that is missing, surplus, misshapen or not a plain float.
    """
    source = CheckpointFolder(folder)
    config = source.config if mtp else replace(source.config, num_nextn_predict_layers=0)
    _check_floats(source)
    try:
        mapping = plan(config, {name: info.shape for name, info in source.tensors.items()}, mtp=mtp)
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    model = _empty(config, dtype or FLOATS[source.tensors["model.embed_tokens.weight"].dtype], operators)
    state = model.state_dict()
    assert state.keys() == {*mapping.sources, *mapping.zeros}, state.keys() ^ {*mapping.sources, *mapping.zeros}
    for name in mapping.zeros:
        state[name].zero_()
    _fill(state, mapping.sources.items(), source)
    return model.eval()


def _check_floats(source: CheckpointFolder) -> None:
    if "quantization_config" in source.raw_config:
        raise CheckpointError(f"{source.path}: a quantised checkpoint; torch training needs the plain float weights")
    for info in source.tensors.values():
        if info.dtype not in FLOATS:
            raise CheckpointError(f"{info.file}: tensor {info.name} has dtype {info.dtype}, wanted {', '.join(FLOATS)}")


def _empty(config: ModelConfig, dtype: torch.dtype, operators: Operators | None) -> Transformer:
    """The module tree with memory but no values: random weights that are about to be overwritten cost time."""
    with torch.device("meta"):
        model = Transformer(config, operators).cast(dtype)
    return model.to_empty(device="cpu")


def _fill(state: dict[str, Tensor], sources: Iterable[tuple[str, tuple[Piece, ...]]], source: CheckpointFolder) -> None:
    with contextlib.ExitStack() as stack:
        handles = {file: stack.enter_context(safe_open(file, framework="pt")) for file in source.files}
        for name, pieces in sources:
            for piece in pieces:
                info: TensorInfo = source.tensors[piece.tensor]
                _place(state[name], piece).copy_(handles[info.file].get_tensor(piece.tensor))


def _place(parameter: Tensor, piece: Piece) -> Tensor:
    """The view of the parameter that this piece fills."""
    if piece.expert is None:
        return parameter
    return parameter[piece.expert, piece.first_row : piece.first_row + piece.shape[0]]
