"""Writes a model as a Hugging Face folder that transformers and vLLM both open.

Shape letters: E experts, F expert inner size, D hidden size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from axk1.arch import ModelConfig
from axk1.checkpoint import CheckpointError, expected
from axk1.checkpoint.names import DOWN, GATE_UP, SELECTION_BIAS, expert_pieces
from axk1.checkpoint.tensorfile import Entry
from axk1.export.shards import SHARD_BYTES, generation_config, write_json, write_shards
from axk1.runs import whole_folder

DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
OWN_FILES = ("config.json", "generation_config.json")


@dataclass(frozen=True)
class _Part:
    """One tensor of the folder: its entry, and the view of the model's memory that it is written from (None: ones)."""

    entry: Entry
    source: Tensor | None


def save(
    model_state: Mapping[str, Tensor],
    config: ModelConfig,
    folder: Path,
    tokenizer_files: Mapping[str, bytes],
    shard_bytes: int = SHARD_BYTES,
    dtype: torch.dtype | None = None,
    *,
    fused_experts: bool = False,
    mtp: bool = False,
) -> None:
    """Writes `folder` whole or not at all; an older one is replaced only when the new one is complete.

    `model_state` is the torch model's `state_dict()`. `dtype` None keeps each tensor's own; the selection bias is
    float32 always. Experts are written one by one, which all readers take, or as they lie in memory (`fused_experts`,
    the layout of the current A.X K1 release, which transformers takes). MTP layers are left out unless `mtp`.
    Tensors are converted and written one at a time. Raises CheckpointError when the state is not that of `config`,
    ValueError for a bad argument, OSError when the disk is full.
    """
    written = config if mtp else replace(config, num_nextn_predict_layers=0)
    _check_arguments(tokenizer_files, shard_bytes, dtype)
    _check_state(model_state, written, mtp=mtp)
    parts = [
        part
        for name in expected(written, mtp=mtp)
        for part in _parts(name, model_state[name], written, dtype, fused=fused_experts)
    ]
    by_name = {part.entry.name: part for part in parts}
    main_dtype = dtype or model_state["model.embed_tokens.weight"].dtype
    with whole_folder(folder) as partial:
        write_shards(partial, [part.entry for part in parts], lambda name: _bytes(by_name[name]), shard_bytes)
        write_json(partial / "config.json", {**written.to_huggingface(), "dtype": str(main_dtype).split(".")[-1]})
        write_json(partial / "generation_config.json", generation_config(written))
        for name, content in tokenizer_files.items():
            (partial / name).write_bytes(content)


def _check_arguments(tokenizer_files: Mapping[str, bytes], shard_bytes: int, dtype: torch.dtype | None) -> None:
    if shard_bytes < 1:
        raise ValueError(f"shard_bytes must be at least 1, found {shard_bytes}")
    if dtype is not None and dtype not in DTYPES:
        raise ValueError(f"dtype {dtype} is not written: use one of {', '.join(map(str, DTYPES))}")
    for name in tokenizer_files:
        if Path(name).name != name or name in OWN_FILES or name.startswith("model"):
            raise ValueError(f"{name!r} cannot be a tokenizer file: choose a plain name that is not the model's")


def _check_state(state: Mapping[str, Tensor], config: ModelConfig, *, mtp: bool) -> None:
    shapes = expected(config, mtp=mtp)
    for name, shape in shapes.items():
        if name not in state:
            raise CheckpointError(f"tensor {name} {list(shape)} is missing in the model")
        if tuple(state[name].shape) != shape:
            raise CheckpointError(f"tensor {name} has shape {list(state[name].shape)}, wanted {list(shape)}")
        if state[name].dtype not in DTYPES:
            raise CheckpointError(f"tensor {name} has dtype {state[name].dtype}: not a float that is written")
    for name in state.keys() - shapes.keys():
        if not _is_mtp(name, config):
            raise CheckpointError(f"tensor {name} {list(state[name].shape)} is surplus in the model")


def _is_mtp(name: str, config: ModelConfig) -> bool:
    prefix, _, rest = name.partition("model.layers.")
    return not prefix and rest.split(".")[0].isdecimal() and int(rest.split(".")[0]) >= config.num_hidden_layers


def _parts(
    name: str, tensor: Tensor, config: ModelConfig, dtype: torch.dtype | None, *, fused: bool
) -> Iterator[_Part]:
    """The tensors of the folder that hold one parameter; views of it, no copies."""
    stored = DTYPES[dtype or tensor.dtype]
    if name.endswith((GATE_UP, DOWN)) and not fused:
        for piece in expert_pieces(name, tuple(tensor.shape)):
            view = tensor[piece.expert, piece.first_row : piece.first_row + piece.shape[0]]
            yield _Part(Entry(piece.tensor, piece.shape, stored), view)
        return
    if name.endswith(SELECTION_BIAS):
        stored = "F32"
    yield _Part(Entry(name, tuple(tensor.shape), stored), tensor)
    layer = name.removesuffix("mlp.down_proj.weight")
    # vLLM refuses A.X K1 without the norm of a dense layer, though it never applies it
    if layer != name and config.post_mlp_norm:
        yield _Part(Entry(f"{layer}post_mlp_layernorm.weight", (config.hidden_size,), stored), None)


def _bytes(part: _Part) -> memoryview:
    """One tensor in its stored dtype; copied only when dtype, device or layout differ."""
    dtype = next(torch_dtype for torch_dtype, name in DTYPES.items() if name == part.entry.dtype)
    tensor = torch.ones(part.entry.shape) if part.source is None else part.source.detach()
    stored = tensor.to(device="cpu", dtype=dtype).contiguous()
    return stored.reshape(-1).view(torch.uint8).numpy().data
