"""What a quantisation codec is, and which weight of a folder uses which, from `quantization_config` in config.json.

Letters: O output rows, I input columns, G groups of columns that share a scale.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from axk1 import registry
from axk1.checkpoint.floats import Float32
from axk1.checkpoint.tensorfile import CheckpointError

Shape = tuple[int, ...]
Role = Literal["values", "scale", "zero_point", "shape"]
Stored = Mapping[Role, NDArray[np.generic]]

KIND = "quantization_codec"
COMPRESSED_TENSORS = "compressed-tensors"


@dataclass(frozen=True)
class Scheme:
    """How one weight's numbers are stored.

    `codec` names the plug-in. A scale covers `block_rows` rows and `group_size` columns (None: all columns).
    `scale_dtype` is the type of the stored scales, as tensor files call it.
    """

    codec: str
    bits: int
    group_size: int | None = None
    symmetric: bool = True
    block_rows: int = 1
    scale_dtype: str = "BF16"

    def groups(self, columns: int) -> int:
        """How many scales a row of `columns` has; a last group that is not full counts."""
        return -(-columns // (self.group_size or columns)) if columns else 0


@dataclass(frozen=True)
class Grid:
    """Where codes lie: weight = (code - zero) * scale. float32 and int8, [O / block_rows, G]; no zero: all 0."""

    scale_OG: Float32
    zero_OG: NDArray[np.int8] | None = None


@dataclass(frozen=True)
class Leaf:
    """One stored tensor of a weight: its type and shape."""

    dtype: str
    shape: Shape


class QuantizationCodec(Protocol):
    """One way to store quantised weights. `leaves` names the tensors of the module `X` that holds the weight
    `X.weight`, by role."""

    @property
    def leaves(self) -> Mapping[Role, str]: ...

    def parse(self, settings: Mapping[str, Any]) -> Scheme:
        """The scheme that a config group (or, without groups, the whole quantization_config) asks for.

        CheckpointError for a setting this codec does not have.
        """

    def describe(self, scheme: Scheme) -> dict[str, Any]:
        """The settings that `parse` reads back as this scheme (the type of the scales apart)."""

    def layout(self, shape: Shape, scheme: Scheme) -> Mapping[Role, Leaf]:
        """The stored tensors of a weight [O, I]; CheckpointError when columns and groups do not fit."""

    def encode(self, weight_OI: Float32, scheme: Scheme, grid: Grid | None = None) -> Stored:
        """The stored tensors, arrays of the layout's shapes (BF16 as its bits); None: a grid over the whole range."""

    def decode(self, stored: Stored, shape: Shape, scheme: Scheme) -> Float32:
        """The weight [O, I]; undoes `encode` up to rounding."""


@dataclass(frozen=True)
class Rule:
    """The modules that use a scheme: full names, `re:` and a pattern from the name's start, or the class `Linear` or
    `Embedding`."""

    targets: tuple[str, ...]
    scheme: Scheme


@dataclass(frozen=True)
class Quantization:
    """A parsed `quantization_config`."""

    rules: tuple[Rule, ...]
    ignore: tuple[str, ...] = ()

    def scheme_of(self, module: str) -> Scheme | None:
        """The scheme of a module, None when it is left out. A name counts before a pattern, that before a class."""
        for target in self.ignore:
            if _specificity(module, target) is not None:
                return None
        best: tuple[int, Scheme] | None = None
        for rule in self.rules:
            for target in rule.targets:
                specificity = _specificity(module, target)
                if specificity is not None and (best is None or specificity < best[0]):
                    best = (specificity, rule.scheme)
        return best[1] if best else None


@cache
def codec(name: str) -> QuantizationCodec:
    """The plug-in of that name. CheckpointError naming the known ones for an unknown name."""
    try:
        found: QuantizationCodec = registry.load(KIND, name)
    except ValueError as error:
        known = ", ".join(registry.names(KIND))
        raise CheckpointError(f"quantization {name!r} is not known: this reads {known}") from error
    return found


def read_quantization(config: Mapping[str, Any]) -> Quantization | None:
    """The `quantization_config` of a parsed config.json, None for plain weights.

    The codec is the `format` of compressed-tensors, else the `quant_method`. CheckpointError for an unknown codec or
    setting.
    """
    settings = config.get("quantization_config")
    if settings is None:
        return None
    if not isinstance(settings, Mapping):
        raise CheckpointError(f"quantization_config must be an object, found {settings!r}")
    if settings.get("quant_method") == COMPRESSED_TENSORS:
        return _compressed_tensors(settings)
    name = str(settings.get("quant_method"))
    left_out = _names(settings.get("modules_to_not_convert") or [], "modules_to_not_convert")
    return Quantization((Rule(("Linear",), codec(name).parse(settings)),), left_out)


def _compressed_tensors(settings: Mapping[str, Any]) -> Quantization:
    groups = settings.get("config_groups")
    if not isinstance(groups, Mapping) or not groups:
        raise CheckpointError("quantization_config has no config_groups")
    rules = [_rule(str(name), group, settings) for name, group in groups.items()]
    return Quantization(tuple(rules), _names(settings.get("ignore") or [], "ignore"))


def _rule(name: str, group: Any, settings: Mapping[str, Any]) -> Rule:
    if not isinstance(group, Mapping):
        raise CheckpointError(f"quantization_config: config group {name} must be an object, found {group!r}")
    scheme = codec(str(group.get("format") or settings.get("format"))).parse(group)
    return Rule(_names(group.get("targets") or [], f"targets of {name}"), scheme)


def _names(value: Any, what: str) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(one, str) for one in value):
        raise CheckpointError(f"quantization_config: {what} must be a list of names, found {value!r}")
    for name in value:
        _check_pattern(name)
    return tuple(value)


def _check_pattern(target: str) -> None:
    try:
        re.compile(target.removeprefix("re:"))
    except re.error as error:
        if target.startswith("re:"):
            raise CheckpointError(f"quantization_config: {target!r} is not a pattern: {error}") from error


@cache  # a few patterns, tens of thousands of modules
def _pattern(target: str) -> re.Pattern[str]:
    return re.compile(target.removeprefix("re:"))


def _specificity(module: str, target: str) -> int | None:
    """0 for the name itself, 1 for a pattern, 2 for a class; None: no match."""
    if target == module:
        return 0
    if target.startswith("re:"):
        return 1 if _pattern(target).match(module) else None
    # the only table that is looked up; every other matrix of this design is a Linear
    name = "Embedding" if module.endswith("embed_tokens") else "Linear"
    return 2 if target == name else None
