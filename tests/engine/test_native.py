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
from axk1.checkpoint.compressed_tensors import IntQuantized, PackQuantized
from axk1.checkpoint.quantization import Scheme
from axk1.checkpoint.weights import Weight
from axk1.engine.backend import Batch
from axk1.engine.native_backend import NativeBackend
from axk1.engine.native_library import FORMATS, Matrix, load
from axk1.engine.native_weights import NativeWeights
from axk1.native import NativeUnavailableError
from kernel_sets import SETS

try:
    LIBRARY = load()
except NativeUnavailableError as reason:
    pytest.skip(str(reason), allow_module_level=True)

BLOCK = 4
COMPRESSED = {"pack-quantized": PackQuantized(), "int-quantized": IntQuantized()}
KERNELS = [name for name in SETS if LIBRARY.axk1_use(name.encode()) == 0]
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


@pytest.fixture(params=[False, True], ids=["row", "prompt"])
def prompt(request: pytest.FixtureRequest) -> bool:
    """As the rows of a prompt are multiplied, or all others."""
    return bool(request.param)


def product(stored: NDArray[Any], kind: str, x: NDArray[np.float32], *, prompt: bool) -> NDArray[np.float32]:
    out = np.empty((len(x), len(stored)), np.float32)
    matrix = Matrix(stored.ctypes.data, FORMATS[kind.lower()], *stored.shape)
    LIBRARY.axk1_matmul(ctypes.byref(matrix), x.ctypes.data, len(x), out.ctypes.data, 2, prompt)
    return out


PLAIN = ("F32", "F16", "BF16")
PRODUCTS = [(1, 1, 1), (1, 33, 70), (3, 9, 31), (7, 130, 64), (5, 3, 257), (15, 70, 1100)]


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize(("rows", "outputs", "inputs"), PRODUCTS)
def test_products_equal_numpy(kernels: str, prompt: bool, kind: str, rows: int, outputs: int, inputs: int) -> None:
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
    np.testing.assert_allclose(product(stored, kind, x, prompt=prompt), expected, atol=2e-5 * np.sqrt(inputs))


@pytest.mark.parametrize("kind", PLAIN)
def test_a_row_does_not_depend_on_the_rows_beside_it(kernels: str, prompt: bool, kind: str) -> None:
    """Bit for bit: what a request gets must not change with who else is served."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(11, 100)).astype(np.float32)
    weight = rng.normal(size=(77, 100)).astype(np.float32)
    stored: NDArray[Any] = {"F32": weight, "F16": weight.astype(np.float16), "BF16": bfloat16(weight)}[kind]
    together = product(stored, kind, x, prompt=prompt)
    for row in range(11):
        assert np.array_equal(product(stored, kind, x[row : row + 1], prompt=prompt)[0], together[row])


def exact_activations(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.float32]:
    """Rows that int8 with a scale per 32 or 64 columns holds exactly: whole numbers up to 127 times a power of two."""
    codes = rng.integers(-127, 128, (rows, columns)).astype(np.float32)
    codes[:, ::32] = 127
    steps = 2.0 ** rng.integers(-8, 0, (rows, -(-columns // 64)))
    return (codes * np.repeat(steps, 64, axis=1)[:, :columns]).astype(np.float32)


def integer_product(
    codec: str, weight: NDArray[np.float32], scheme: Scheme, x: NDArray[np.float32], *, prompt: bool
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The kernel's product with the stored codes, and the same in float64 by the codec's own decoding."""
    shape = weight.shape
    stored = COMPRESSED[codec].encode(weight, scheme)
    decoded = COMPRESSED[codec].decode(stored, shape, scheme)
    kind = "int4" if scheme.bits == 4 else "int8"
    views = {role: memoryview(np.ascontiguousarray(array)).cast("B") for role, array in stored.items()}
    record = Weight(
        *("w", shape, kind, views["values"], views["scale"], views.get("zero_point"), scheme.group_size, 1),
        *(scheme.symmetric, scheme.scale_dtype, codec == "pack-quantized"),
    )
    holder = NativeWeights.__new__(NativeWeights)
    holder._kept = []
    matrix = holder._integers(record, *shape)
    out = np.empty((len(x), shape[0]), np.float32)
    LIBRARY.axk1_matmul(ctypes.byref(matrix), x.ctypes.data, len(x), out.ctypes.data, 2, prompt)
    return out, x.astype(np.float64) @ decoded.T.astype(np.float64)


SCHEMES = [
    *(Scheme("pack-quantized", 4, group, symmetric, 1, dtype)
      for group in (32, 64, 128, None) for symmetric in (True, False) for dtype in ("BF16", "F32")),
    *(Scheme("pack-quantized", 8, group, symmetric) for group in (32, 128, None) for symmetric in (True, False)),
    *(Scheme("int-quantized", 8, group, True, 1, "F16") for group in (64, None)),
]  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize(("rows", "outputs", "inputs"), [(1, 5, 256), (7, 37, 384), (15, 70, 1280), (2, 3, 640)])
def test_integer_products_equal_the_decoded_weights(
    kernels: str, prompt: bool, scheme: Scheme, rows: int, outputs: int, inputs: int
) -> None:
    rng = np.random.default_rng(outputs)
    weight = rng.normal(size=(outputs, inputs)).astype(np.float32)
    x = exact_activations(rng, rows, inputs)
    found, expected = integer_product(scheme.codec, weight, scheme, x, prompt=prompt)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(x).max() * inputs)


@pytest.mark.parametrize("inputs", [32, 64, 96, 160, 50])
def test_integer_products_of_odd_widths(kernels: str, prompt: bool, inputs: int) -> None:
    """Blocks that are not full: no lane may read another row's codes or scales."""
    rng = np.random.default_rng(inputs)
    weight, x = rng.normal(size=(9, inputs)).astype(np.float32), exact_activations(rng, 3, inputs)
    for bits in (4, 8):
        for group in (32, None) if inputs % 32 == 0 else (None,):
            scheme = Scheme("pack-quantized", bits, group)
            found, expected = integer_product("pack-quantized", weight, scheme, x, prompt=prompt)
            np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(x).max() * inputs)


def test_quantised_activations_cost_little(kernels: str, prompt: bool) -> None:
    """On ordinary activations the error is that of eight bits a group, far below that of four-bit weights."""
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(64, 512)).astype(np.float32), rng.normal(size=(8, 512)).astype(np.float32)
    found, expected = integer_product("pack-quantized", weight, Scheme("pack-quantized", 4, 64), x, prompt=prompt)
    assert np.linalg.norm(found - expected) < 0.01 * np.linalg.norm(expected)


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
    with pytest.raises(CheckpointError, match=r"experts.3.up_proj.weight"):
        NativeBackend(folder, 8, BLOCK)


def _place(info: Any) -> tuple[Any, int, int]:
    return info.file, info.offset, info.nbytes
