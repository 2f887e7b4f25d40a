"""Which weights of a model are quantised, and how: format names, parts of a model, and the config that says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from axk1.checkpoint import CheckpointError, Scheme, Shape
from axk1.checkpoint.quantization import COMPRESSED_TENSORS, codec

Part = Literal["experts", "shared", "dense", "attention", "head", "embedding"]
PARTS: tuple[Part, ...] = get_args(Part)
CODEC = "pack-quantized"

# A pattern per part, on module names, for our own use and for the config's targets
_PATTERNS: Mapping[Part, str] = {
    "experts": r".*\.mlp\.experts\..*",
    "shared": r".*\.mlp\.shared_experts\..*",
    "dense": r".*\.mlp\.(gate|up|down|gate_up)_proj$",
    "attention": r".*\.self_attn\..*_(proj|with_mqa)$|.*\.self_attn\.o_proj$",
    "head": r"lm_head$",
    "embedding": r"model\.embed_tokens$",
}
DEFAULTS: Mapping[Part, str] = {
    "experts": "int4-g64",
    "shared": "int8",
    "dense": "int8",
    "attention": "int8",
    "head": "none",
    "embedding": "none",
}
"""What a part becomes when nothing is said: the routed experts are nearly all of a large model, the others cost few
bytes and hurt most (docs/rooms/export.md)."""

# Matrices that stay as they are in any case: a router decides over experts, and costs little
_NEVER = (r"re:.*\.mlp\.gate$", r"re:.*\.eh_proj$")


@dataclass(frozen=True)
class Formats:
    """The scheme of each part of a model; None keeps it. Norms, routers and `eh_proj` are always kept."""

    experts: Scheme | None
    shared: Scheme | None
    dense: Scheme | None
    attention: Scheme | None
    head: Scheme | None = None
    embedding: Scheme | None = None

    def __post_init__(self) -> None:
        if not any(self.of(part) for part in PARTS):
            raise ValueError("nothing to quantise: every part is to be kept")

    def of(self, part: Part | None) -> Scheme | None:
        """The scheme of a part; None for what belongs to none."""
        found: Scheme | None = getattr(self, part) if part else None
        return found

    def with_scale_dtype(self, dtype: str) -> Formats:
        """The same with scales of that type."""
        schemes = {one.name: getattr(self, one.name) for one in fields(self)}
        return replace(self, **{name: one and replace(one, scale_dtype=dtype) for name, one in schemes.items()})


def named_formats(names: Mapping[Part, str], every: str = "") -> Formats:
    """The formats by name; a part that is not named (or "") takes `every`, which head and embedding never do, else
    its default. ValueError for an unknown name, or when nothing is quantised."""
    broad = {part: every if DEFAULTS[part] != "none" else "" for part in PARTS}
    return Formats(**{part: parse_format(names.get(part) or broad[part] or DEFAULTS[part]) for part in PARTS})


def parse_format(text: str) -> Scheme | None:
    """`int4-g64`, `int8`, `int8-g128-asym`, ... as a scheme; `none` and `bf16` as None.

    int8 without a group has one scale a row; `-sym` is what no ending means. ValueError for another name.
    """
    if text in ("none", "bf16"):
        return None
    match = re.fullmatch(r"int(4|8)(?:-g(32|64|128))?(-sym|-asym)?", text)
    if match is None or (match[1] == "4" and match[2] is None):
        raise ValueError(f"no format {text!r}: use int8, int8-gN or int4-gN with N = 32, 64 or 128, -asym, or none")
    return Scheme(CODEC, int(match[1]), int(match[2]) if match[2] else None, symmetric=match[3] != "-asym")


def format_name(scheme: Scheme | None) -> str:
    """The name that `parse_format` reads."""
    if scheme is None:
        return "none"
    group = f"-g{scheme.group_size}" if scheme.group_size else ""
    return f"int{scheme.bits}{group}{'' if scheme.symmetric else '-asym'}"


def part_of(weight: str) -> Part | None:
    """The part that a weight `X.weight` belongs to; None for norms, routers, biases and `eh_proj`."""
    module, _, leaf = weight.rpartition(".")
    if leaf != "weight":
        return None
    return next((part for part, pattern in _PATTERNS.items() if re.match(pattern, module)), None)


def check_fits(weight: str, shape: Shape, scheme: Scheme) -> None:
    """CheckpointError with a way out unless the groups divide the columns."""
    try:
        codec(scheme.codec).layout(shape, scheme)
    except CheckpointError as error:
        part = part_of(weight)
        hint = f"choose a smaller group or int8 with --{part}"
        raise CheckpointError(f"tensor {weight} {list(shape)}: {error}: {hint}") from error


def quantization_config(formats: Formats) -> dict[str, Any]:
    """The `quantization_config` of config.json.

    One scheme for all is the class `Linear` with what it leaves out, which every reader takes. Several schemes are a
    group of patterns each, that of the routed experts first: transformers takes the first pattern with "experts".
    """
    schemes = list(dict.fromkeys(scheme for part in PARTS if (scheme := formats.of(part))))
    groups = {f"group_{number}": _group(formats, scheme, len(schemes)) for number, scheme in enumerate(schemes)}
    kept = [f"re:{_PATTERNS[part]}" for part in PARTS if formats.of(part) is None and part != "embedding"]
    return {
        "quant_method": COMPRESSED_TENSORS,
        "format": CODEC,
        "quantization_status": "compressed",
        "config_groups": groups,
        "ignore": ["lm_head" if one == "re:lm_head$" else one for one in kept] + list(_NEVER),
        "kv_cache_scheme": None,
        "global_compression_ratio": None,
    }


def _group(formats: Formats, scheme: Scheme, schemes: int) -> dict[str, Any]:
    parts = [part for part in PARTS if formats.of(part) == scheme]
    targets = [f"re:{_PATTERNS[part]}" for part in parts]
    if schemes == 1:
        targets = ["Linear"] + [f"re:{_PATTERNS[part]}" for part in parts if part == "embedding"]
    return {"targets": targets, **codec(scheme.codec).describe(scheme)}
