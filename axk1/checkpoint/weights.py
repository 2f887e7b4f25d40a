"""The weights of a folder as the model knows them: several stored tensors of a quantised weight are one weight.

`gather` joins them and checks names, shapes and types, so that a plan sees `X.weight` whatever its storage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, NamedTuple, get_args

from axk1.checkpoint.floats import SMALLEST
from axk1.checkpoint.quantization import Leaf, Quantization, QuantizationCodec, Role, Scheme, Shape, codec
from axk1.checkpoint.tensorfile import CheckpointError, TensorInfo

Kind = Literal["f32", "f16", "bf16", "fp8_block", "int8", "int4"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_BY_NAME: Mapping[str, Kind] = {kind: kind for kind in KINDS}
NOT_FLOAT = ("F8_E4M3", "I8")  # a `.weight` of these types means nothing without a scale


class StoredWeight(NamedTuple):
    """One weight and where its tensors lie; no scheme: a plain tensor, the only part."""

    name: str
    shape: Shape
    scheme: Scheme | None
    parts: Mapping[Role, TensorInfo]


@dataclass(frozen=True)
class Weight:
    """One weight for kernels that work on the mapped bytes.

    `values` are the numbers or codes. Quantised kinds have `scale`, of type `scale_dtype`, and asymmetric ones
    `zero_point`; the layouts are those of the codec's file. `group_size` columns share a scale (None: the whole row;
    a block of "fp8_block" is as high as `block_rows`). int4 and int8 are packed words (codes + 8 or + 128) when
    `packed`, else plain int8.
    """

    name: str
    shape: Shape
    kind: Kind
    values: memoryview
    scale: memoryview | None = None
    zero_point: memoryview | None = None
    group_size: int | None = None
    block_rows: int = 1
    symmetric: bool = True
    scale_dtype: str = ""
    packed: bool = False


def kind_of(stored: StoredWeight) -> Kind:
    """What kernels call this storage. CheckpointError for a type that is no weight's."""
    scheme, dtype = stored.scheme, stored.parts["values"].dtype
    name = dtype.lower() if scheme is None else "fp8_block" if dtype == "F8_E4M3" else f"int{scheme.bits}"
    if name in _BY_NAME:
        return _BY_NAME[name]
    raise CheckpointError(f"tensor {stored.parts['values'].name} has the type {dtype}, which no weight has")


def gather(
    tensors: Mapping[str, TensorInfo],
    quantization: Quantization | None,
    read: Callable[[TensorInfo], memoryview],
) -> dict[str, StoredWeight]:
    """Every weight by name. `read` gives the bytes of a tensor; only `weight_shape` is asked for.

    A weight that the config quantises may lie there as plain floats (routers do); then it is a plain weight.
    CheckpointError naming the tensor that is missing, misshapen, of another type, there twice, or quantised although
    the config leaves it out.
    """
    if quantization is None:
        return {name: _plain(info) for name, info in tensors.items()}
    codecs = {rule.scheme.codec: codec(rule.scheme.codec) for rule in quantization.rules}
    weights: dict[str, StoredWeight] = {}
    used: set[str] = set()
    for module in _quantised_modules(tensors, codecs):
        stored = _join(module, tensors, quantization, codecs, read)
        weights[stored.name] = stored
        used |= {part.name for part in stored.parts.values()}
    for name, info in tensors.items():
        if name in used:
            continue
        if name in weights:
            raise CheckpointError(f"tensor {name} {list(info.shape)} is there plain and quantised")
        weights[name] = _plain(info)
    return weights


def _plain(info: TensorInfo) -> StoredWeight:
    return StoredWeight(info.name, info.shape, None, {"values": info})


def _quantised_modules(tensors: Mapping[str, TensorInfo], codecs: Mapping[str, QuantizationCodec]) -> list[str]:
    """The modules that hold a tensor which only quantised weights have, in the order of the files."""
    marks = {leaf for one in codecs.values() for leaf in one.leaves.values()} - {"weight"}
    modules: dict[str, None] = {}
    for name, info in tensors.items():
        module, _, leaf = name.rpartition(".")
        if leaf in marks or (leaf == "weight" and info.dtype in NOT_FLOAT):
            modules[module] = None
    return list(modules)


def _join(
    module: str,
    tensors: Mapping[str, TensorInfo],
    quantization: Quantization,
    codecs: Mapping[str, QuantizationCodec],
    read: Callable[[TensorInfo], memoryview],
) -> StoredWeight:
    scheme = quantization.scheme_of(module)
    if scheme is None:
        raise CheckpointError(f"the weight of {module} is quantised, but quantization_config leaves it out")
    found = codecs[scheme.codec]
    for role in ("values", "scale"):
        _need(f"{module}.{found.leaves[role]}", tensors)
    scheme = _with_scales(scheme, _scale_dtype(tensors[f"{module}.{found.leaves['scale']}"]))
    shape = _shape(module, found, tensors, read)
    parts: dict[Role, TensorInfo] = {}
    for role, leaf in _layout(module, shape, scheme).items():
        info = _need(f"{module}.{found.leaves[role]}", tensors)
        _check(info, leaf)
        parts[role] = info
    return StoredWeight(f"{module}.weight", shape, scheme, parts)


@cache  # thousands of experts share a few schemes and shapes
def _with_scales(scheme: Scheme, dtype: str) -> Scheme:
    return replace(scheme, scale_dtype=dtype)


@cache
def _layout_of(shape: Shape, scheme: Scheme) -> Mapping[Role, Leaf]:
    return codec(scheme.codec).layout(shape, scheme)


def _layout(module: str, shape: Shape, scheme: Scheme) -> Mapping[Role, Leaf]:
    try:
        return _layout_of(shape, scheme)
    except CheckpointError as error:
        raise CheckpointError(f"tensor {module}.weight {list(shape)}: {error}") from error


def _need(name: str, tensors: Mapping[str, TensorInfo]) -> TensorInfo:
    if name not in tensors:
        raise CheckpointError(f"tensor {name} is missing, its weight is quantised")
    return tensors[name]


def _scale_dtype(info: TensorInfo) -> str:
    if info.dtype not in SMALLEST:
        raise CheckpointError(f"tensor {info.name} has dtype {info.dtype}, wanted one of {', '.join(SMALLEST)}")
    return info.dtype


def _shape(
    module: str,
    found: QuantizationCodec,
    tensors: Mapping[str, TensorInfo],
    read: Callable[[TensorInfo], memoryview],
) -> Shape:
    """The weight's own shape: that of its values, or, where they are packed, what `weight_shape` says."""
    if "shape" not in found.leaves:
        return tensors[f"{module}.{found.leaves['values']}"].shape
    info = _need(f"{module}.{found.leaves['shape']}", tensors)
    if info.dtype not in ("I64", "I32") or info.shape != (2,):
        raise CheckpointError(f"tensor {info.name} is {info.dtype} {list(info.shape)}, wanted I64 [2]")
    rows, columns = read(info).cast("q" if info.dtype == "I64" else "i")
    if not (0 < rows < 1 << 31 and 0 < columns < 1 << 31):
        raise CheckpointError(f"tensor {info.name} says [{rows}, {columns}], which is no shape of a weight")
    return rows, columns


def _check(info: TensorInfo, wanted: Leaf) -> None:
    same_type = info.dtype == wanted.dtype or (wanted.dtype == "I64" and info.dtype == "I32")
    if info.shape != wanted.shape or not same_type:
        found = f"{info.dtype} {list(info.shape)}"
        raise CheckpointError(f"tensor {info.name} is {found}, wanted {wanted.dtype} {list(wanted.shape)}")
