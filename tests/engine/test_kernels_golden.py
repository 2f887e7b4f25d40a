"""Every set of kernels of this CPU, and of an emulated 64-bit ARM, against NumPy: by a C++ program of its own.

The program (native/check_kernels.cpp) calls the C interface, and each function of a set beside the scalar one. What it
compares with comes in one file: products and whole models, with what NumPy and the reference back end make of them. The
file is a picture of the C structs, which both kinds of CPU lay out alike, and the places of the pointers in it.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from ctypes import c_float, c_int32, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from axk1.checkpoint import CheckpointFolder
from axk1.engine import native_library
from axk1.engine.backend import Batch
from axk1.engine.native_library import FORMATS, BatchSpec, Layer, Matrix, load
from axk1.engine.native_weights import NativeWeights
from axk1.engine.reference import ReferenceBackend
from axk1.export.quantize import quantize
from axk1.export.quantize_formats import Formats, parse_format
from axk1.native import NativeUnavailableError, compiler
from kernel_sets import SETS

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "axk1/engine/native"
PROGRAM = Path(__file__).parent / "native/check_kernels.cpp"
# Of gcc 12, about its own headers.
WARNINGS = ("-Wall", "-Wextra", "-Wshadow", "-Werror", "-Wno-uninitialized", "-Wno-maybe-uninitialized")
ARM_COMPILER, ARM_EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
BLOCK, BLOCKS = 4, 64


class Product(ctypes.Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("weight", "x", "expected")),
        *(("rows", c_int32), ("tolerance", c_float)),
    )


class Step(ctypes.Structure):
    _fields_ = tuple((name, c_void_p) for name in ("batch", "expected"))


class Golden(ctypes.Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("products", "models", "steps", "tolerances")),
        *((name, c_int32) for name in ("n_products", "n_models", "n_steps", "unused")),
    )


class Memory:
    """Arrays and structs by their addresses, which the pointers among them are."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Any, int]] = {}

    def __call__(self, one: Any) -> int:
        """Keeps an array or a struct; its address."""
        is_array = isinstance(one, np.ndarray)
        start, size = (one.ctypes.data, one.nbytes) if is_array else (ctypes.addressof(one), ctypes.sizeof(one))
        self._kept[start] = max(self._kept.get(start, (one, 0)), (one, size), key=lambda kept: kept[1])
        return start

    def holder(self, address: int) -> tuple[int, Any]:
        """Where the thing that this address lies in begins, and the thing."""
        return next((a, one) for a, (one, size) in self._kept.items() if a <= address < a + size)

    def image(self, root: ctypes.Structure) -> bytes:
        """The file: everything that `root` leads to, after the positions and targets of all pointers."""
        words, pointers, placed = bytearray(), [], {}

        def place(start: int, one: Any) -> int:
            if start not in placed:
                placed[start] = at = len(words)
                content = bytes(memoryview(one).cast("B"))
                words.extend(content + bytes(-len(content) % 64))
                for offset in pointer_fields(type(one)):
                    value = int.from_bytes(content[offset : offset + 8], "little")
                    if value:
                        holder, inner = self.holder(value)
                        pointers.append((at + offset, place(holder, inner) + value - holder))
            return placed[start]

        place(self(root), root)
        counts = np.array([len(pointers), len(words)], np.uint64)
        return counts.tobytes() + np.array(pointers, np.uint64).tobytes() + bytes(words)


def pointer_fields(kind: Any, base: int = 0) -> Iterator[int]:
    """The offsets of the pointers in a struct or an array of structs."""
    if issubclass(kind, ctypes.Structure):
        for name, inner in kind._fields_:
            yield from pointer_fields(inner, base + getattr(kind, name).offset)
    elif issubclass(kind, ctypes.Array):
        for index in range(kind._length_):
            yield from pointer_fields(kind._type_, base + index * ctypes.sizeof(kind._type_))
    elif issubclass(kind, c_void_p | ctypes._Pointer):
        yield base


def bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    return torch.from_numpy(values).bfloat16().view(torch.int16).numpy().view(np.uint16)


def widened(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def product(memory: Memory, weight: Matrix, exact: NDArray[Any], x: NDArray[np.float32], tolerance: float) -> Product:
    """`exact`: the weight as floats."""
    seen = widened(bfloat16(x)) if weight.format == FORMATS["bf16"] else x
    expected = (seen.astype(np.float64) @ exact.T.astype(np.float64)).astype(np.float32)
    return Product(memory(weight), memory(x), memory(expected), len(x), tolerance)


def plain_products(memory: Memory, rng: np.random.Generator) -> Iterator[Product]:
    for rows, outputs, inputs in ((1, 1, 1), (1, 33, 70), (3, 9, 31), (7, 130, 64), (5, 3, 257), (13, 12, 96)):
        x = rng.normal(size=(rows, inputs)).astype(np.float32)
        w = rng.normal(size=(outputs, inputs)).astype(np.float32)
        for kind, stored, exact in (
            ("f32", w, w),
            ("f16", w.astype(np.float16), w.astype(np.float16)),
            ("bf16", bfloat16(w), widened(bfloat16(w))),
        ):
            weight = Matrix(memory(stored), FORMATS[kind], outputs, inputs)
            yield product(memory, weight, exact, x, 2e-5 * inputs**0.5)


def integer_products(memory: Memory, rng: np.random.Generator) -> Iterator[Product]:
    for bits in (4, 8):
        for group in (32, 64, 128, None):
            for wide in (False, True):
                for rows, outputs, inputs in (
                    (1, 5, 256),
                    (7, 37, 384),
                    (3, 9, 640),
                    (2, 3, 32),
                    (5, 6, 160),
                    (4, 7, 50),
                ):
                    if inputs % (group or 1) == 0:
                        for symmetric in (False, True):
                            yield integers(memory, rng, bits, group or inputs, wide, symmetric, (rows, outputs, inputs))


def integers(
    memory: Memory, rng: np.random.Generator, bits: int, group: int, wide: bool, symmetric: bool, sizes: tuple[int, ...]
) -> Product:
    """Random codes, the largest ones too, times activations that eight bits a group of 32 or 64 hold exactly."""
    rows, outputs, inputs = sizes
    codes = rng.integers(0, 1 << bits, (outputs, inputs)).astype(np.uint8)
    codes[0], codes[-1] = 0, (1 << bits) - 1
    zero = rng.integers(0, 1 << bits, (outputs, inputs // group)).astype(np.uint8)
    scale = bfloat16(rng.uniform(0.5, 1.5, zero.shape).astype(np.float32))
    centred = codes.astype(np.float64) - (1 << bits - 1 if symmetric else zero.repeat(group, 1))
    x = rng.integers(-127, 128, (rows, inputs)).astype(np.float32)
    x[:, ::32] = 127
    x[0], x[-1] = 127, -127  # the largest sums
    x *= np.repeat(2.0 ** rng.integers(-8, 0, (rows, -(-inputs // 64))), 64, axis=1)[:, :inputs]
    weight = Matrix(
        *(memory(packed(codes, bits)), FORMATS[f"int{bits}"], outputs, inputs, group),
        memory(widened(scale) if wide else scale),
        None if symmetric else memory(zero),
        FORMATS["f32" if wide else "bf16"],
    )
    exact = centred * widened(scale).repeat(group, 1)
    return product(memory, weight, exact, x, 3e-6 * float(np.abs(x).max()) * 2**bits * inputs)


def packed(codes: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """As axk1.h has them: the even column in the low half of a byte, rows padded to whole words."""
    if bits == 8:
        return np.pad(codes, ((0, 0), (0, -codes.shape[1] % 4)))
    codes = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 8)))
    return np.ascontiguousarray(codes[:, ::2] | codes[:, 1::2] << 4)


def batches() -> list[Batch]:
    """Three ragged prompts, one long enough to be read as such, then some more tokens of each."""
    blocks_SM = np.random.default_rng(3).permutation(BLOCKS)[: 3 * 12].reshape(3, 12).astype(np.int32)
    made, cached_S = [], np.zeros(3, np.int32)
    for lengths in ([19, 1, 36], [1, 5, 1], [1, 1, 1]):
        tokens_N = np.arange(sum(lengths), dtype=np.int32) * 7 % 97
        starts_S1 = np.cumsum([0, *lengths]).astype(np.int32)
        made.append(Batch(tokens_N, starts_S1, cached_S, blocks_SM, np.arange(len(tokens_N), dtype=np.int32)))
        cached_S = cached_S + np.array(lengths, np.int32)
    return made


def steps(memory: Memory, folder: CheckpointFolder) -> Iterator[Step]:
    reference = ReferenceBackend(folder, BLOCKS, BLOCK)
    for batch in batches():
        expected = np.ascontiguousarray(reference.logits(batch), np.float32)
        inputs = (batch.tokens_N, batch.starts_S1, batch.cached_S, batch.blocks_SM)
        spec = BatchSpec(*map(memory, inputs), *batch.blocks_SM.shape, memory(batch.wanted_W), len(batch.wanted_W), 0)
        yield Step(memory(spec), memory(expected))


WIDER: dict[str, Any] = {"hidden_size": 128, "intermediate_size": 192, "moe_intermediate_size": 64, "q_lora_rank": 64,
                         "kv_lora_rank": 64, "v_head_dim": 32, "initializer_range": 0.06}  # fmt: skip
ROUTED_TO_ALL: dict[str, Any] = {"n_routed_experts": 4, "num_experts_per_tok": 4, "n_group": 1, "topk_group": 1}


def models(make: Any, path: Path) -> Iterator[tuple[CheckpointFolder, float]]:
    """Folders, and how far logits may be from the reference, which knows no rounding of activations."""
    half = {"dtype": torch.bfloat16, **WIDER, **ROUTED_TO_ALL}
    for name, tolerance, changes in (
        ("float32", 2e-4, {}),
        ("float16", 2e-4, {"dtype": torch.float16, "fused_experts": True}),
        ("bfloat16", 0.05, half),
        ("int4-g32", 0.15, half),
        ("int4-g64-asym", 0.15, {**half, "dtype": torch.float32}),
        ("int8", 0.18, half),
    ):
        folder = make(**changes).path.rename(path / f"{name}-plain")
        if name.startswith("int"):
            form = parse_format(name)
            quantize(folder, path / name, Formats(form, form, form, form, head=form))
            folder = path / name
        yield CheckpointFolder(folder), tolerance


@pytest.fixture
def golden(make: Any, tmp_path: Path) -> Path:
    """The file of all cases."""
    memory, rng = Memory(), np.random.default_rng(0)
    products = [*plain_products(memory, rng), *integer_products(memory, rng)]
    specs, all_steps, tolerances = [], [], []
    for folder, tolerance in models(make, tmp_path):
        weights = NativeWeights(folder)
        specs.append(weights.spec(BLOCKS, BLOCK, 2))
        mapped = [np.frombuffer(folder._map(file), np.uint8) for file in folder.files]
        for one in (*weights._kept, *mapped):
            memory(one)
        memory((Layer * specs[-1].layers).from_address(ctypes.addressof(specs[-1].layer.contents)))
        all_steps += steps(memory, folder)
        tolerances.append(tolerance)
    root = Golden(
        memory((Product * len(products))(*products)),
        memory((type(specs[0]) * len(specs))(*specs)),
        memory((Step * len(all_steps))(*all_steps)),
        memory(np.array(tolerances, np.float32)),
        *(len(products), len(specs), len(all_steps) // len(specs), 0),
    )
    (tmp_path / "cases").write_bytes(memory.image(root))
    return tmp_path / "cases"


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def test_every_set_of_this_cpu_equals_the_scalar_one_and_numpy(golden: Path, tmp_path: Path) -> None:
    try:
        library = load()
    except NativeUnavailableError as reason:
        pytest.skip(str(reason))
    fastest = library.axk1_kernels()
    sets = [name for name in SETS if library.axk1_use(name.encode()) == 0]
    library.axk1_use(fastest)
    folder, name = os.path.split(library._name)
    flags = ["-std=c++17", "-O1", f"-I{NATIVE}/include", f"-I{NATIVE}/src"]
    program = str(tmp_path / "check_kernels")
    link = [f"-L{folder}", f"-l:{name}", f"-Wl,-rpath,{folder}", "-pthread", "-o", program]
    run([compiler("CXX", "g++", "c++"), *flags, *WARNINGS, str(PROGRAM), *link])
    shown = run([program, str(golden), *sets])
    print(shown)  # `pytest -s` shows the figures of docs/decisions/0009-avx2-neon.md
    assert len(shown.split("\n")) == len(sets) + 1
    assert subprocess.run([program, str(golden), "avx512", "sve"], capture_output=True).returncode == 1


@pytest.fixture(scope="module")
def arm_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The library and the program in one, for any 64-bit ARM."""
    if not (shutil.which(ARM_COMPILER) and shutil.which(ARM_EMULATOR)):
        pytest.skip(f"needs {ARM_COMPILER} and {ARM_EMULATOR}: run `make test-arm`")
    program = str(tmp_path_factory.mktemp("arm") / "check_kernels")
    flags = [flag for flag in native_library._FLAGS if flag != "-shared" and not flag.startswith("-I")]
    units = [*sorted(map(str, (NATIVE / "src").rglob("*.cpp"))), str(PROGRAM)]
    run([ARM_COMPILER, *flags, *WARNINGS, f"-I{NATIVE}/include", f"-I{NATIVE}/src", *units, "-lm", "-o", program])
    return program


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cpu", "sets"),
    [
        ("cortex-a53", ["scalar", "neon"]),
        ("neoverse-n1", ["scalar", "neon", "neon-dot"]),
        ("max", ["scalar", "neon", "neon-dot", "neon-bf16"]),
    ],
)
def test_every_set_of_an_arm_cpu_equals_the_scalar_one_and_numpy(
    cpu: str, sets: list[str], golden: Path, arm_program: str
) -> None:
    shown = run([ARM_EMULATOR, "-cpu", cpu, "-L", "/usr/aarch64-linux-gnu", arm_program, str(golden), *sets])
    print(shown)
    assert len(shown.split("\n")) == len(sets) + 1
