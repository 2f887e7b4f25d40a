"""Quantised folders: the reference decodes them, the native back end multiplies the stored codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from axk1.checkpoint import CheckpointFolder
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
