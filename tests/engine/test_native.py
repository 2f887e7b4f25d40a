"""The native back end's own promises: kernels against NumPy, bfloat16, independence of neighbours, memory, errors."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from axk1.checkpoint import CheckpointError, CheckpointFolder
from axk1.engine.backend import Batch
from axk1.engine.native_backend import NativeBackend
from axk1.engine.native_library import FORMATS, Matrix, load
from axk1.native import NativeUnavailableError

try:
    LIBRARY = load()
except NativeUnavailableError as reason:
    pytest.skip(str(reason), allow_module_level=True)

BLOCK = 4
KERNELS = [name for name in ("scalar", "avx512") if LIBRARY.axk1_use(name.encode()) == 0]
FASTEST = KERNELS[-1]


@pytest.fixture(params=KERNELS)
def kernels(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each kind of kernels that this CPU runs."""
    assert LIBRARY.axk1_use(request.param.encode()) == 0
    yield request.param
    LIBRARY.axk1_use(FASTEST.encode())


@pytest.fixture(autouse=True)
def fastest() -> None:
    LIBRARY.axk1_use(FASTEST.encode())


def bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    return torch.from_numpy(values).bfloat16().view(torch.int16).numpy().view(np.uint16)


def rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return torch.from_numpy(values).bfloat16().float().numpy()


def product(stored: NDArray[Any], kind: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.empty((len(x), len(stored)), np.float32)
    matrix = Matrix(stored.ctypes.data, FORMATS[kind], *stored.shape, 0)
    LIBRARY.axk1_matmul(ctypes.byref(matrix), x.ctypes.data, len(x), out.ctypes.data, 2)
    return out


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("rows", "outputs", "inputs"), [(1, 1, 1), (1, 33, 70), (3, 9, 31), (7, 130, 64), (5, 3, 257)])
def test_products_equal_numpy(kernels: str, kind: str, rows: int, outputs: int, inputs: int) -> None:
    rng = np.random.default_rng(rows + outputs)
    x = rng.normal(size=(rows, inputs)).astype(np.float32)
    weight = rng.normal(size=(outputs, inputs)).astype(np.float32)
    if kind == "F32":
        stored, exact_x, exact_w = weight, x, weight
    elif kind == "F16":
        stored = weight.astype(np.float16)
        exact_x, exact_w = x, stored.astype(np.float32)
    else:
        stored, exact_x, exact_w = bfloat16(weight), rounded(x), rounded(weight)
    expected = exact_x.astype(np.float64) @ exact_w.T.astype(np.float64)
    np.testing.assert_allclose(product(stored, kind, x), expected, atol=2e-5 * np.sqrt(inputs))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_row_does_not_depend_on_the_rows_beside_it(kernels: str, kind: str) -> None:
    """Bit for bit: what a request gets must not change with who else is served."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(11, 100)).astype(np.float32)
    weight = rng.normal(size=(77, 100)).astype(np.float32)
    stored: NDArray[Any] = {"F32": weight, "F16": weight.astype(np.float16), "BF16": bfloat16(weight)}[kind]
    together = product(stored, kind, x)
    for row in range(11):
        assert np.array_equal(product(stored, kind, x[row : row + 1])[0], together[row])


def one_sequence(ids: list[int], cached: int = 0) -> Batch:
    blocks = -(-(cached + len(ids)) // BLOCK)
    return Batch(
        np.array(ids, np.int32),
        np.array([0, len(ids)], np.int32),
        np.array([cached], np.int32),
        np.arange(blocks, dtype=np.int32)[None],
        np.arange(len(ids), dtype=np.int32),
    )


def test_bfloat16_is_as_exact_as_torch_in_bfloat16(make: Any, kernels: str) -> None:
    """Both round activations; ours must not be further from float32 than torch's own bfloat16 is."""
    oracle = make(dtype=torch.bfloat16, n_routed_experts=4, num_experts_per_tok=4, n_group=1, topk_group=1)
    ids = np.random.default_rng(1).integers(0, 97, 100).tolist()
    exact = torch.from_numpy(oracle.logits(ids)).log_softmax(-1)
    backend = NativeBackend(CheckpointFolder(oracle.path), 64, BLOCK, 2)
    ours = torch.from_numpy(backend.logits(one_sequence(ids))).log_softmax(-1)
    with torch.no_grad():
        theirs = oracle.model.cast(torch.bfloat16)(torch.tensor([ids]))[0].float().log_softmax(-1)
    assert (ours - exact).abs().mean() < 1.2 * (theirs - exact).abs().mean()
    assert (ours - exact).abs().mean() > 0


def test_all_kernels_give_the_same_tokens(make: Any) -> None:
    oracle = make()
    folder, ids = CheckpointFolder(oracle.path), list(range(40, 70))
    found = []
    for name in KERNELS:
        assert LIBRARY.axk1_use(name.encode()) == 0
        found.append(NativeBackend(folder, 64, BLOCK, 1).logits(one_sequence(ids)))
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=2e-4)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_do_not_change_the_result(tiny: Any, threads: int) -> None:
    folder, ids = CheckpointFolder(tiny.path), list(range(90))
    alone = NativeBackend(folder, 64, BLOCK, 1).logits(one_sequence(ids))
    assert np.array_equal(NativeBackend(folder, 64, BLOCK, threads).logits(one_sequence(ids)), alone)


def test_only_the_cache_and_scratch_take_memory(tiny: Any) -> None:
    backend = NativeBackend(CheckpointFolder(tiny.path), 256, 16, 1)
    config = backend.config
    per_token = config.num_hidden_layers * (config.kv_lora_rank + config.qk_rope_head_dim) * 4
    assert backend.bytes == 256 * 16 * per_token
    backend.logits(one_sequence([1, 2, 3]))
    assert 256 * 16 * per_token < backend.bytes < 256 * 16 * per_token + 100_000
    backend.close()
    backend.close()


def test_a_closed_back_end_frees_its_threads(tiny: Any) -> None:
    tasks = Path("/proc/self/task")
    before = len(list(tasks.iterdir()))
    backend = NativeBackend(CheckpointFolder(tiny.path), 8, BLOCK, 4)
    assert len(list(tasks.iterdir())) == before + 3
    backend.close()
    assert len(list(tasks.iterdir())) == before


def test_a_format_it_does_not_read_is_named(make: Any) -> None:
    folder = CheckpointFolder(make().path)
    name = "model.layers.1.mlp.experts.3.up_proj.weight"
    info = folder.tensors[name]
    folder.tensors = {**folder.tensors, name: type(info)(info.name, info.shape, "F64", *_place(info))}
    with pytest.raises(CheckpointError, match=r"experts.3.up_proj.weight has dtype F64, wanted F32, F16, BF16"):
        NativeBackend(folder, 8, BLOCK)


def _place(info: Any) -> tuple[Any, int, int]:
    return info.file, info.offset, info.nbytes
