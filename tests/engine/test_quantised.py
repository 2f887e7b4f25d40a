"""Quantised folders: the reference decodes them, the native back end multiplies the stored codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from axk1.checkpoint import CheckpointError, CheckpointFolder
from axk1.checkpoint.floats import from_float32
from axk1.checkpoint.folder import CONFIG, SINGLE
from axk1.checkpoint.tensorfile import Entry, write
from axk1.engine.backend import Backend, Batch
from axk1.engine.native_backend import NativeBackend
from axk1.engine.native_library import load
from axk1.engine.reference import ReferenceBackend
from axk1.export.quantize import quantize
from axk1.export.quantize_formats import Formats, parse_format
from axk1.native import NativeUnavailableError

try:
    load()
except NativeUnavailableError as reason:
    pytest.skip(str(reason), allow_module_level=True)

SIZES: dict[str, Any] = {
    "hidden_size": 128, "intermediate_size": 192, "moe_intermediate_size": 64, "q_lora_rank": 64, "kv_lora_rank": 64,
    "qk_nope_head_dim": 16, "qk_rope_head_dim": 16, "v_head_dim": 16, "n_routed_experts": 4, "num_experts_per_tok": 4,
    "n_group": 1, "topk_group": 1, "initializer_range": 0.06,
}  # fmt: skip
IDS = np.random.default_rng(2).integers(0, 97, 40).astype(np.int32)


def logprobs(backend: Backend) -> Any:
    blocks = np.arange(10, dtype=np.int32)[None]
    whole = Batch(IDS, np.array([0, 40], np.int32), np.array([0], np.int32), blocks, np.arange(40, dtype=np.int32))
    return torch.from_numpy(backend.logits(whole)).log_softmax(-1)


@pytest.mark.parametrize("name", ["int4-g32", "int4-g64-asym", "int8", "int8-g32-asym"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_native_equals_the_decoded_weights_up_to_eight_bit_activations(
    name: str, dtype: torch.dtype, make: Any, tmp_path: Path
) -> None:
    oracle = make(dtype=dtype, **SIZES)
    form = parse_format(name)
    quantize(oracle.path, tmp_path / "small", Formats(form, form, form, form, head=form, embedding=form))
    folder = CheckpointFolder(tmp_path / "small")
    exact = logprobs(ReferenceBackend(folder, 16, 4))
    ours = logprobs(NativeBackend(folder, 16, 4, 2))
    plain = torch.from_numpy(oracle.logits(IDS.tolist())).log_softmax(-1)
    rounding, quantising = float((ours - exact).abs().mean()), float((exact - plain).abs().mean())
    assert 0 < rounding < 0.03
    assert quantising > 0.005, "the weights did change"
    if name.startswith("int4"):
        assert rounding < quantising


@pytest.fixture
def small(make: Any, tmp_path: Path) -> Callable[[str], CheckpointFolder]:
    """A folder whose matrices all have the format of that name."""

    def made(name: str) -> CheckpointFolder:
        form = parse_format(name)
        quantize(
            make(dtype=torch.bfloat16, **SIZES).path, tmp_path / "small", Formats(form, form, form, form, head=form)
        )
        return CheckpointFolder(tmp_path / "small")

    return made


def up_projections(folder: CheckpointFolder) -> list[str]:
    return [name for name in folder.weights if name.endswith(".kv_b_proj.weight")]


def with_plain_up_projections(folder: CheckpointFolder, path: Path) -> CheckpointFolder:
    """The same weights, those that raise latents decoded and rounded to bfloat16 by NumPy."""
    data = {name: folder.raw(name) for name in folder.tensors if ".kv_b_proj." not in name}
    entries = [Entry(name, folder.tensors[name].shape, folder.tensors[name].dtype) for name in data]
    for name in up_projections(folder):
        data[name] = memoryview(from_float32(folder.decode(name), "BF16").tobytes())
        entries.append(Entry(name, folder.weights[name].shape, "BF16"))
    path.mkdir()
    (path / CONFIG).write_bytes((folder.path / CONFIG).read_bytes())
    write(path / SINGLE, entries, lambda name: data[name])
    return CheckpointFolder(path)


def decoded_and_drafted(backend: Backend) -> Any:
    """Log-probabilities of four tokens behind a prompt of 36: of one, then of three at once."""
    blocks = np.arange(10, dtype=np.int32)[None]
    found = []
    for first, last in ((0, 36), (36, 37), (37, 40)):
        starts = np.array([0, last - first], np.int32)
        wanted = np.arange(last - first, dtype=np.int32)
        found.append(backend.logits(Batch(IDS[first:last], starts, np.array([first], np.int32), blocks, wanted)))
    return torch.from_numpy(np.concatenate(found[1:])).log_softmax(-1)


@pytest.mark.parametrize("name", ["int4-g32", "int4-g64-asym", "int8", "int8-g32-asym"])
@pytest.mark.parametrize("run", [logprobs, decoded_and_drafted])
def test_up_projections_in_integers_equal_decoded_ones_up_to_eight_bit_activations(
    name: str, run: Callable[[Backend], Any], small: Callable[[str], CheckpointFolder], tmp_path: Path
) -> None:
    folder = small(name)
    plain = with_plain_up_projections(folder, tmp_path / "plain")
    gap = run(NativeBackend(folder, 16, 4, 2)) - run(NativeBackend(plain, 16, 4, 2))
    assert 0 < float(gap.abs().mean()) < 0.03, "as far as products of all other matrices may be"


def test_up_projections_in_integers_take_no_memory_of_their_own(
    small: Callable[[str], CheckpointFolder], tmp_path: Path
) -> None:
    folder = small("int4-g32")
    plain = NativeBackend(with_plain_up_projections(folder, tmp_path / "plain"), 16, 4, 2)
    backend = NativeBackend(folder, 16, 4, 2)
    assert backend.bytes == plain.bytes
    logprobs(backend), logprobs(plain)
    assert backend.bytes == plain.bytes


def test_an_up_projection_of_scales_that_are_not_finite_is_refused_at_once(
    small: Callable[[str], CheckpointFolder],
) -> None:
    folder = small("int4-g32")
    scale = folder.weights[up_projections(folder)[0]].parts["scale"]
    with scale.file.open("r+b") as file:
        file.seek(scale.offset)
        file.write((0x7F80).to_bytes(2, "little"))
    with pytest.raises(CheckpointError, match=r"kv_b_proj.weight holds NaN or infinite values"):
        NativeBackend(CheckpointFolder(folder.path), 16, 4, 2)
