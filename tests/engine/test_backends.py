"""Both back ends against the torch model, which is proved against transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from axk1.arch import RopeParameters
from axk1.checkpoint import CheckpointError, CheckpointFolder
from axk1.engine.native_backend import NativeBackend
from axk1.engine.native_library import load
from axk1.engine.reference import ReferenceBackend
from axk1.engine.rope import Rope
from axk1.native import NativeUnavailableError
from batches import batch

BLOCK = 4
THREADS = 2


def backends() -> list[Any]:
    try:
        load()
    except NativeUnavailableError as reason:
        return [ReferenceBackend, pytest.param(NativeBackend, marks=pytest.mark.skip(str(reason)))]
    return [ReferenceBackend, NativeBackend]


both = pytest.mark.parametrize("backend_of", backends())
K1_YARN = RopeParameters("yarn", factor=4.0, original_max_position_embeddings=16, mscale=1.0, mscale_all_dim=0.0)
V3_YARN = RopeParameters("yarn", factor=40.0, original_max_position_embeddings=8, mscale=1.0, mscale_all_dim=1.0)
MIXED_YARN = RopeParameters("yarn", factor=4.0, original_max_position_embeddings=16, mscale=0.7, mscale_all_dim=1.2)
V3: dict[str, Any] = {"model_type": "deepseek_v3"}

CONFIGS: dict[str, dict[str, Any]] = {
    "axk1": {},
    "axk1, yarn": {"rope_parameters": K1_YARN},
    "axk1, one group": {"n_group": 1, "topk_group": 1},
    "axk1, all groups": {"topk_group": 4},
    "axk1, tied": {"tie_word_embeddings": True},
    "axk1, no dense layer": {"first_k_dense_replace": 0},
    "axk1, two dense layers": {"first_k_dense_replace": 2},
    "axk1, dense alone": {"first_k_dense_replace": 3},
    "axk1, every other layer": {"first_k_dense_replace": 0, "moe_layer_freq": 2},
    "axk1, fused experts": {"fused_experts": True},
    "axk1, two shared experts": {"n_shared_experts": 2},
    "v3": V3,
    "v3, yarn": {**V3, "rope_parameters": V3_YARN},
    "v3, uneven yarn": {**V3, "rope_parameters": MIXED_YARN},
    "v3, full-rank query": {**V3, "q_lora_rank": None},
    "v3, gates not normed": {**V3, "norm_topk_prob": False, "routed_scaling_factor": 1.0},
    "v3, other epsilon": {**V3, "rms_norm_eps": 1e-2},
    "v3, fused experts": {**V3, "fused_experts": True, "tie_word_embeddings": True},
    "v3, mtp layers": {**V3, "num_nextn_predict_layers": 1},
    "bfloat16 file": {"dtype": torch.bfloat16},
    "float16 file": {"dtype": torch.float16, "fused_experts": True},
}
ROWS = [[5, 6, 7, 90, 91, 3, 3, 3, 20, 21, 22, 23, 24, 25, 26, 27, 28, 1, 0], [42], list(range(60, 96))]


def shuffled_tables(rows: list[list[int]]) -> list[list[int]]:
    """Blocks in no order, so that a table that is not followed shows."""
    ids = np.random.default_rng(3).permutation(64).tolist()
    return [[ids.pop() for _ in range(-(-len(row) // BLOCK))] for row in rows]


def parts(rows: list[list[int]], tables: list[list[int]]) -> list[tuple[list[int], int, list[int]]]:
    """Whole prompts, as `batch` takes them."""
    return [(row, 0, table) for row, table in zip(rows, tables, strict=True)]


def log_softmax(logits: Any) -> Any:
    return torch.tensor(logits).log_softmax(-1).numpy()


@both
@pytest.mark.parametrize("name", CONFIGS)
def test_logprobs_equal_those_of_the_torch_model(name: str, make: Any, backend_of: Any) -> None:
    """Ragged prompts in one batch, then a token each on top of the cache."""
    oracle = make(**CONFIGS[name])
    if backend_of is NativeBackend and CONFIGS[name].get("dtype") == torch.bfloat16:
        pytest.skip("computes in bfloat16: see the test of that")
    backend = backend_of(CheckpointFolder(oracle.path), 64, BLOCK, THREADS)
    prefix, tables = [row[:-1] for row in ROWS[:1] + ROWS[2:]], shuffled_tables(ROWS[:1] + ROWS[2:])
    first = backend.logits(batch(*parts(prefix, tables)))
    last = backend.logits(batch((ROWS[0][-1:], len(prefix[0]), tables[0]), (ROWS[2][-1:], len(prefix[1]), tables[1])))
    ours = [*np.split(first, [len(prefix[0])]), last]
    theirs = [oracle.logits(ROWS[0]), oracle.logits(ROWS[2])]
    theirs = [theirs[0][:-1], theirs[1][:-1], np.stack([theirs[0][-1], theirs[1][-1]])]
    gap = max(float(np.abs(log_softmax(a) - log_softmax(b)).max()) for a, b in zip(ours, theirs, strict=True))
    print(f"{name}: {gap:.1e}")  # `pytest -s` shows the figures of docs/rooms/engine.md
    assert gap < 1e-4
    assert all((a.argmax(-1) == b.argmax(-1)).all() for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("name", ["model.norm.weight", "model.layers.2.mlp.gate.e_score_correction_bias",
                                  "model.layers.1.post_mlp_layernorm.weight",
                                  "model.layers.2.self_attn.kv_b_proj.weight",
                                  "model.layers.1.mlp.experts.3.down_proj.weight"])  # fmt: skip
@both
def test_the_comparison_can_fail(name: str, make: Any, backend_of: Any) -> None:
    """A parameter moved a little shows, also one that only one expert or the selection sees."""
    oracle = make()
    info = CheckpointFolder(oracle.path).tensors[name]
    with info.file.open("r+b") as file:
        file.seek(info.offset)
        stored = np.frombuffer(file.read(info.nbytes), np.float32)
        file.seek(info.offset)
        file.write((stored + np.random.default_rng(0).normal(0, 0.05, stored.shape).astype(np.float32)).tobytes())
    backend = backend_of(CheckpointFolder(oracle.path), 64, BLOCK, THREADS)
    ours = backend.logits(batch(*parts(ROWS, shuffled_tables(ROWS))))
    theirs = np.concatenate([oracle.logits(row) for row in ROWS])
    assert np.abs(log_softmax(ours) - log_softmax(theirs)).max() > 1e-3


@both
def test_hidden_states_are_those_before_the_head(tiny: Any, backend_of: Any) -> None:
    backend = backend_of(CheckpointFolder(tiny.path), 64, BLOCK, THREADS)
    states = backend.hidden(batch(*parts(ROWS, shuffled_tables(ROWS)), wanted=[0, 18, 19, 30]))
    with torch.no_grad():
        theirs = [tiny.model.hidden(torch.tensor([row]))[0][0].numpy() for row in ROWS]
    expected = np.stack([theirs[0][0], theirs[0][18], theirs[1][0], theirs[2][10]])
    np.testing.assert_allclose(states, expected, atol=1e-5)


def test_a_pair_turns_by_hand() -> None:
    turned = Rope.rotate(np.array([1, 0, 0, 2], np.float32), np.float32([0, 1]), np.float32([1, 0]))
    assert turned.tolist() == [0, 1, 0, 2]


def test_a_weight_that_is_not_a_number_is_named(make: Any) -> None:
    folder = CheckpointFolder(make().path)
    info = folder.tensors["model.layers.1.mlp.experts.3.up_proj.weight"]
    with Path(info.file).open("r+b") as file:
        file.seek(info.offset + 8)
        file.write(np.float32("nan").tobytes())
    with pytest.raises(CheckpointError, match=r"experts.3.up_proj.weight holds NaN"):
        ReferenceBackend(folder, 8, BLOCK)
