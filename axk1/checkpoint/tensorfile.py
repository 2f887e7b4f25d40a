"""One .safetensors file: 8 bytes of header length, a JSON header, then the tensors' bytes without gaps.

Reading gives where each tensor lies, for mmap; writing streams one tensor at a time. Every dtype is bytes here, so
bfloat16 and the 8-bit floats need no array library that knows them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

MAX_HEADER_BYTES = 100_000_000  # the format's own limit
MAX_AXES = 8  # of a tensor; weights have three at most
WHOLE = {int}  # the type of sizes and offsets: no bool, no float
ALIGNMENT = 64  # the first tensor begins at a multiple of it: a cache line

DTYPE_BYTES: Mapping[str, int] = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64"), 8),
}


class CheckpointError(ValueError):
    """A checkpoint that cannot be what it claims to be; the message names the file or tensor in one line."""


class TensorInfo(NamedTuple):
    """Where one tensor lies. `dtype` is the format's name (F32, BF16, ...), `offset` counts from the file's start.

    A tuple, like what is made of it: large models have a hundred thousand of them, made each time one is opened.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    file: Path
    offset: int
    nbytes: int


@dataclass(frozen=True)
class Entry:
    """One tensor to write."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        """Size of the tensor's bytes."""
        return math.prod(self.shape) * DTYPE_BYTES[self.dtype]


def read_header(path: Path) -> list[TensorInfo]:
    """The tensors of one file in the order of their bytes.

    Raises CheckpointError for a file that is cut short, is no safetensors file or whose header contradicts itself.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= MAX_HEADER_BYTES:
            raise CheckpointError(f"{path}: not a safetensors file")
        if 8 + length > size:
            raise CheckpointError(f"{path}: cut short: {size} bytes, its header alone has {8 + length}")
        text = file.read(length)
    infos = [_info(path, 8 + length, name, value) for name, value in _entries(path, text).items()]
    infos.sort(key=attrgetter("offset"))
    _check_layout(path, infos, start=8 + length, size=size)
    return infos


def write(
    path: Path, entries: Sequence[Entry], data: Callable[[str], memoryview], asked: Sequence[str] | None = None
) -> None:
    """Write one file; `data(name)` gives a tensor's bytes when its turn comes, so one tensor is held at a time.

    The tensors lie in the file as `entries` come; they are asked for in the order `asked` (None: the same).
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    begins, end = {}, 0
    for entry in entries:
        begins[entry.name] = end
        end += entry.nbytes
        header[entry.name] = {
            "dtype": entry.dtype,
            "shape": list(entry.shape),
            "data_offsets": [begins[entry.name], end],
        }
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    sizes = {entry.name: entry.nbytes for entry in entries}
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in begins if asked is None else asked:
            content = data(name)
            assert content.nbytes == sizes[name], name
            if asked is not None:
                file.seek(8 + len(text) + begins[name])
            file.write(content)


def json_object(text: bytes, what: str) -> dict[str, Any]:
    """The JSON object in `text`. CheckpointError, which begins with `what`, when there is none."""
    try:
        value = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise CheckpointError(f"{what} is not JSON: {reason}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{what} is not a JSON object")
    return value


def _entries(path: Path, text: bytes) -> dict[str, Any]:
    header = json_object(text, f"{path}: its header")
    header.pop("__metadata__", None)
    return header


def _info(path: Path, start: int, name: str, value: Any) -> TensorInfo:
    try:
        shape, dtype, (begin, end) = tuple(value["shape"]), str(value["dtype"]), value["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: the header's entry for tensor {name} is broken") from error
    numbers = (*shape, begin, end)
    if len(shape) > MAX_AXES or set(map(type, numbers)) != WHOLE or min(numbers) < 0:
        raise CheckpointError(f"{path}: the header's entry for tensor {name} is broken")
    if dtype not in DTYPE_BYTES:
        raise CheckpointError(f"{path}: tensor {name} has the unknown dtype {dtype}")
    if end - begin != math.prod(shape) * DTYPE_BYTES[dtype]:
        raise CheckpointError(f"{path}: tensor {name} {list(shape)} {dtype} does not fill its {end - begin} bytes")
    return TensorInfo(name, shape, dtype, path, start + begin, end - begin)


def _check_layout(path: Path, infos: Sequence[TensorInfo], start: int, size: int) -> None:
    """Tensors lie end to end: no gap, no overlap, nothing behind the last."""
    position = start
    for name, _, _, _, offset, nbytes in infos:
        if offset != position:
            raise CheckpointError(f"{path}: tensor {name} begins at byte {offset} instead of {position}")
        position += nbytes
    if size < position:
        raise CheckpointError(f"{path}: cut short: {size} bytes of {position}")
    if size > position:
        raise CheckpointError(f"{path}: {size - position} bytes behind the last tensor")
