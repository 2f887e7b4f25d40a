"""Ways to break a folder: bytes, lengths, JSON values, headers that stay consistent, lost and swapped files."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from axk1.checkpoint.tensorfile import DTYPE_BYTES
from fuzz.valid import Files

HEADER = 8  # bytes before the header: its length
NUMBERS: tuple[Any, ...] = (
    *(0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 127, 128, 255, 512, 1000, 4096, 65535, -1, -2, -128),
    *(2**20, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1, 2**63, 2**64, -(2**31), -(2**63), 10**30),
    *(0.0, -0.0, 0.5, 1.5, 1e-45, 1e-30, 1e30, 1e308, float("nan"), float("inf"), float("-inf")),
)
OTHERS: tuple[Any, ...] = (
    *(None, True, False, "", "0", "a", "\0", "가", "../x", "re:(", "re:.*", "Linear", "BF16", "group", "fp8"),
    *([], {}, [0], [1, 2], [[]], [-1, 2**40], [None], {"a": 1}, [0] * 100),
)


def mutate(files: Files, random: Random) -> tuple[Files, list[str]]:
    """A folder with one to three mistakes, and their names."""
    broken, done = dict(files), []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        change = random.choice(CHANGES)
        change(broken, random)
        done.append(change.__name__)
    return broken, done


def config_value(files: Files, random: Random) -> None:
    _edit_json(files, "config.json", random)


def config_key(files: Files, random: Random) -> None:
    """A value of the top level: sizes above all."""
    config = _parsed(files, "config.json")
    if isinstance(config, dict) and config:
        config[random.choice(list(config))] = _value(random)
        files["config.json"] = _dumped(config)


def quantization_value(files: Files, random: Random) -> None:
    config = _parsed(files, "config.json")
    if not isinstance(config, dict):
        return
    settings = config.setdefault("quantization_config", {"quant_method": "fp8", "weight_block_size": [16, 16]})
    config["quantization_config"] = _changed(settings, random)
    files["config.json"] = _dumped(config)


def index_value(files: Files, random: Random) -> None:
    name = "model.safetensors.index.json"
    if name not in files:
        files[name] = _dumped({"weight_map": {"model.norm.weight": "model.safetensors"}})
    _edit_json(files, name, random)


def generation_value(files: Files, random: Random) -> None:
    _edit_json(files, "generation_config.json", random)


def json_bytes(files: Files, random: Random) -> None:
    name = random.choice([name for name in files if name.endswith(".json")] or list(files))
    files[name] = _scrambled(files[name], random)


def deep_json(files: Files, random: Random) -> None:
    depth = random.choice((10, 1000, 100_000))
    files["config.json"] = b'{"a": ' + b"[" * depth + b"]" * depth + b"}"


def truncation(files: Files, random: Random) -> None:
    name = random.choice(list(files))
    files[name] = files[name][: random.randrange(len(files[name]) + 1)]


def extension(files: Files, random: Random) -> None:
    files[random.choice(list(files))] += random.randbytes(random.choice((1, 7, 64, 4096)))


def lost_file(files: Files, random: Random) -> None:
    if len(files) > 1:
        del files[random.choice(list(files))]


def swapped_files(files: Files, random: Random) -> None:
    first, second = random.choice(list(files)), random.choice(list(files))
    files[first], files[second] = files[second], files[first]


def data_bytes(files: Files, random: Random) -> None:
    """Other numbers in the tensors: any bits, infinities, NaN, zeros."""
    name = _shard(files, random)
    start = HEADER + _length(files[name])
    if start < len(files[name]):
        data = bytearray(files[name])
        at, size = random.randrange(start, len(data)), random.choice((1, 4, 64, 2048))
        fill = random.choice((random.randbytes(size), b"\xff" * size, b"\0" * size, b"\x7f\x7f" * (size // 2)))
        data[at : at + len(fill)] = fill[: len(data) - at]
        files[name] = bytes(data)


def header_length(files: Files, random: Random) -> None:
    name = _shard(files, random)
    length = random.choice((_length(files[name]) + random.choice((-64, -1, 1, 8, 64)), *NUMBERS[:36]))
    files[name] = (length % 2**64).to_bytes(HEADER, "little") + files[name][HEADER:]


def header_bytes(files: Files, random: Random) -> None:
    name = _shard(files, random)
    end = HEADER + _length(files[name])
    text = _scrambled(files[name][HEADER:end], random)
    if random.random() < 0.7:  # else the length is wrong too
        files[name] = len(text).to_bytes(HEADER, "little") + text + files[name][end:]
    else:
        files[name] = files[name][:HEADER] + text + files[name][end:]


def header_value(files: Files, random: Random) -> None:
    name = _shard(files, random)
    header, data = _split(files[name])
    if header is not None:
        files[name] = _joined(_changed(header, random), data)


def header_entry(files: Files, random: Random) -> None:
    """One tensor's dtype, shape or place; its name; two entries exchanged; an entry there twice."""
    name = _shard(files, random)
    header, data = _split(files[name])
    names = [one for one in header or () if one != "__metadata__" and isinstance((header or {})[one], dict)]
    if not header or not names:
        return
    first, second = random.choice(names), random.choice(names)
    change = random.randrange(6)
    if change == 0:
        header[first]["dtype"] = random.choice((*DTYPE_BYTES, "F4", 3))
    elif change == 1:
        header[first]["shape"] = _shape(header[first].get("shape"), random)
    elif change == 2:
        header[first]["data_offsets"] = [_value(random), _value(random)]
    elif change == 3:
        header[second + random.choice(("", "x", ".weight"))] = header.pop(first)
    elif change == 4:
        header[first], header[second] = header[second], header[first]
    else:
        header[first] = dict(header[second])
    files[name] = _joined(header, data)


def other_tensor(files: Files, random: Random) -> None:
    """A tensor of another shape or type in a file that is whole: only the model can tell."""
    name = _shard(files, random)
    header, data = _split(files[name])
    entries = {one: dict(value) for one, value in (header or {}).items() if isinstance(value, dict)}
    metadata = entries.pop("__metadata__", None)
    try:
        ordered = sorted(entries, key=lambda one: entries[one]["data_offsets"][0])
        chosen = random.choice(ordered)
        parts = {one: data[slice(*entries[one]["data_offsets"])] for one in ordered}
        dtype = random.choice((entries[chosen]["dtype"], *DTYPE_BYTES))
        shape = [abs(int(one)) % 4096 for one in _shape(entries[chosen]["shape"], random)]
        size = DTYPE_BYTES[dtype]
        for one in shape:
            size *= one
        if size > 1 << 20:
            return
        parts[chosen] = (parts[chosen] * (size // max(len(parts[chosen]), 1) + 1))[:size].ljust(size, b"\1")
        entries[chosen] |= {"dtype": dtype, "shape": shape}
        place = 0
        for one in ordered:
            entries[one]["data_offsets"] = [place, place := place + len(parts[one])]
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        return  # an earlier mistake has left no entries to work on
    files[name] = _joined({**({"__metadata__": metadata} if metadata else {}), **entries}, b"".join(parts.values()))


CHANGES: tuple[Callable[[Files, Random], None], ...] = (
    *(config_value, config_key, config_key, quantization_value, index_value, generation_value, json_bytes, deep_json),
    *(truncation, extension, lost_file, swapped_files, data_bytes, header_length, header_bytes, header_value),
    *(header_entry, header_entry, other_tensor, other_tensor),
)


def _value(random: Random) -> Any:
    return random.choice(NUMBERS) if random.random() < 0.7 else random.choice(OTHERS)


def _shape(shape: Any, random: Random) -> list[Any]:
    found = list(shape) if isinstance(shape, list) else [4]
    change = random.randrange(4)
    if change == 0 and found:
        found[random.randrange(len(found))] = random.choice(NUMBERS[:36])
    elif change == 1:
        found.insert(random.randrange(len(found) + 1), random.choice((1, 2, 0)))
    elif change == 2:
        found = found[::-1]
    elif found:
        found.pop()
    return found


def _changed(value: Any, random: Random) -> Any:
    """The JSON value with a change somewhere in it: another value, one less, one more."""
    if isinstance(value, dict | list) and value and random.random() < 0.85:
        keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = random.choice(keys)
        action = random.random()
        if action < 0.1:
            del value[key]
        elif action < 0.15 and isinstance(value, dict):
            value[random.choice(keys) + "_"] = value[key]
        else:
            value[key] = _changed(value[key], random)
        return value
    return _value(random)


def _scrambled(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        at, action = random.randrange(len(changed) + 1), random.randrange(4)
        if action == 0:
            changed[at:at] = random.choice((b'"', b"{", b"]", b",", b"\0", b"\xff", b"9", b"-", b"e", b"\\u12"))
        elif action == 1:
            del changed[at : at + random.choice((1, 2, 9))]
        elif at < len(changed):
            changed[at] = random.randrange(256) if action == 2 else changed[at] ^ (1 << random.randrange(8))
    return bytes(changed)


def _edit_json(files: Files, name: str, random: Random) -> None:
    value = _parsed(files, name)
    if value is not None:
        files[name] = _dumped(_changed(value, random))


def _parsed(files: Files, name: str) -> Any:
    try:
        return json.loads(files.get(name, b"null"))
    except (ValueError, RecursionError):
        return None


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def _shard(files: Files, random: Random) -> str:
    return random.choice([name for name in files if name.endswith(".safetensors")] or list(files))


def _length(data: bytes) -> int:
    return min(int.from_bytes(data[:HEADER], "little"), len(data))


def _split(data: bytes) -> tuple[dict[str, Any] | None, bytes]:
    end = HEADER + _length(data)
    try:
        header = json.loads(data[HEADER:end])
    except (ValueError, RecursionError):
        return None, b""
    return (header, data[end:]) if isinstance(header, dict) else (None, b"")


def _joined(header: Any, data: bytes) -> bytes:
    text = _dumped(header)
    return len(text).to_bytes(HEADER, "little") + text + data
