"""TOML settings as frozen dataclasses: strict keys, one `extends`, `a.b=value` overrides."""

import dataclasses
import difflib
import tomllib
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

__all__ = ["ConfigError", "from_mapping", "load", "read", "to_mapping"]

T = TypeVar("T")


class ConfigError(ValueError):
    """A setting that the user must mend; the message is one line that says where and how."""


def load(path: Path, cls: type[T], overrides: Sequence[str] = ()) -> T:
    """The TOML file at `path` as `cls`; `overrides` are `a.b=value`, later ones win. Raises ConfigError, OSError."""
    return from_mapping(read(path, overrides), cls, str(path))


def read(path: Path | None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The tables of a TOML file (None: of no file), over those of the file it `extends`, under the `overrides`."""
    values = {} if path is None else _read(path, ())
    for override in overrides:
        values = _merged(values, _parse_override(override))
    return values


def from_mapping(values: Mapping[str, Any], cls: type[T], where: str = "") -> T:
    """`values` as the dataclass `cls`; every key must be a field. `where` names the source in errors."""
    return cast(T, _dataclass(values, cls, where))


def to_mapping(config: object) -> dict[str, Any]:
    """A dataclass as a mapping that JSON can hold (Path becomes str, tuples become lists); reads back unchanged."""
    return cast(dict[str, Any], _plain(config))


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in seen:
        raise ConfigError(f"{path}: `extends` goes round in a circle")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    parent = values.pop("extends", None)
    if parent is None:
        return values
    if not isinstance(parent, str):
        raise ConfigError(f"{path}: extends: wants one path as text, found {_kind(parent)}")
    return _merged(_read(path.parent / parent, (*seen, path.resolve())), values)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key; anything else (arrays too) is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _parse_override(override: str) -> dict[str, Any]:
    name, equals, text = override.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(f"override {override!r}: write it as a.b=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is text
    for key in reversed(keys):
        value = {key: value}
    return cast(dict[str, Any], value)


def _dataclass(values: object, cls: type, where: str) -> object:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where or cls.__name__}: wants a table, found {_kind(values)}")
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    for key in values:
        if key not in fields:
            raise ConfigError(f"{where or cls.__name__}: unknown key {key!r}{_nearest(key, fields)}")
    for field in fields.values():
        if field.name not in values and _is_required(field):
            raise ConfigError(f"{where or cls.__name__}: missing key {field.name!r}")
    kinds = get_type_hints(cls)
    arguments = {key: _value(value, kinds[key], _join(where, key)) for key, value in values.items()}
    try:
        return cls(**arguments)
    except ConfigError:
        raise
    except ValueError as error:  # a check in __post_init__: say which file it speaks of
        raise ConfigError(f"{where}: {error}" if where else str(error)) from error


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _nearest(key: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint} (known: {', '.join(sorted(known))})"


def _join(where: str, key: str) -> str:
    return f"{where}: {key}" if where.endswith(".toml") else f"{where}.{key}" if where else key


def _value(value: object, kind: Any, where: str) -> object:
    """`value`, as TOML or JSON gives it, as the annotated type `kind`."""
    if kind is Any:
        return value
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _one_of(value, get_args(kind), where)
    if origin is Literal:
        if value not in get_args(kind) or isinstance(value, bool) not in {isinstance(a, bool) for a in get_args(kind)}:
            raise ConfigError(f"{where}: wants one of {', '.join(map(repr, get_args(kind)))}, found {value!r}")
        return value
    if origin is tuple:
        return _tuple(value, get_args(kind), where)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(value, get_args(kind)[1], where)
    if dataclasses.is_dataclass(kind):
        return _dataclass(value, cast(type, kind), where)
    return _scalar(value, kind, where)


def _one_of(value: object, kinds: tuple[Any, ...], where: str) -> object:
    if value is None and type(None) in kinds:
        return None
    rest = [kind for kind in kinds if kind is not type(None)]
    for kind in rest[:-1]:
        try:
            return _value(value, kind, where)
        except ConfigError:
            continue
    return _value(value, rest[-1], where)


def _tuple(value: object, kinds: tuple[Any, ...], where: str) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{where}: wants an array, found {_kind(value)}")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise ConfigError(f"{where}: wants {len(kinds)} values, found {len(value)}")
    return tuple(_value(one, kind, f"{where}[{i}]") for i, (one, kind) in enumerate(zip(value, kinds, strict=True)))


def _mapping(value: object, kind: Any, where: str) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: wants a table, found {_kind(value)}")
    return {key: _value(one, kind, _join(where, key)) for key, one in value.items()}


def _scalar(value: object, kind: type, where: str) -> object:
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is kind:  # not isinstance: a bool is no int here
        return value
    raise ConfigError(f"{where}: wants {_NAMES.get(kind, kind.__name__)}, found {_kind(value)}")


_NAMES: Mapping[type, str] = types.MappingProxyType(
    {int: "a whole number", float: "a number", str: "text", bool: "true or false", Path: "a path as text"}
)


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "an array"
    return f"{value!r}" if not isinstance(value, str) else f"text {value!r}"


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value
