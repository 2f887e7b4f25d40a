"""Fields of a request's JSON, checked one by one; what is wrong is named with its place."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

import orjson

from axk1.server.errors import ApiError, bad_request

__all__ = [
    "deeper",
    "entries",
    "flag",
    "json_of",
    "known",
    "mapping",
    "number",
    "one_of",
    "text",
    "whole",
    "without_nulls",
    "wrong",
]


def json_of(body: bytes, deepest: int) -> Any:
    """The JSON of a request's body, as the standard has it: no NaN, no half of a surrogate pair. 400 for what is none,
    or has objects and lists in each other more than `deepest` times."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is not JSON: {error}") from error
    if deeper(found, deepest):
        raise bad_request(f"the body's JSON is nested deeper than {deepest}")
    return found


def without_nulls(value: Mapping[str, Any]) -> dict[str, Any]:
    """A null is as if the field were left out."""
    return {name: one for name, one in value.items() if one is not None}


def wrong(place: str, message: str) -> ApiError:
    """400, with the place in the message."""
    return bad_request(f"{place}: {message}", place)


def known(value: Mapping[str, Any], place: str, names: Collection[str]) -> None:
    """400 for a field that is not among `names`, with the nearest of them."""
    for name in value:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f", did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(names))}"
            raise wrong(f"{place}.{name}" if place else name, f"unknown field{hint}")


def mapping(value: object, place: str) -> dict[str, Any]:
    """400 unless it is an object."""
    if not isinstance(value, dict):
        raise wrong(place, _missing(value) + "must be an object")
    return value


def entries(value: object, place: str) -> list[Any]:
    """400 unless it is a list."""
    if not isinstance(value, list):
        raise wrong(place, _missing(value) + "must be a list")
    return value


def text(value: object, place: str) -> str:
    """400 unless it is a string."""
    if not isinstance(value, str):
        raise wrong(place, _missing(value) + "must be a string")
    return value


def whole(value: object, place: str, least: int) -> int:
    """400 unless it is a whole number of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise wrong(place, _missing(value) + f"must be a whole number of at least {least}")
    return value


def number(value: object, place: str, least: float = 0, most: float = 1) -> float:
    """400 unless it is from `least` to `most`."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
        raise wrong(place, _missing(value) + f"must be a number from {least:g} to {most:g}")
    return float(value)


def flag(value: object, place: str) -> bool:
    """400 unless it is true or false."""
    if not isinstance(value, bool):
        raise wrong(place, _missing(value) + "must be true or false")
    return value


def one_of(value: object, place: str, names: Collection[str]) -> str:
    """400 unless it is one of `names`."""
    if not isinstance(value, str) or value not in names:
        raise wrong(place, _missing(value) + f"must be one of {', '.join(names)}")
    return value


def _missing(value: object) -> str:
    return "is missing: it " if value is None else ""


def deeper(value: Any, most: int) -> bool:
    """Whether objects and lists lie in each other more than `most` times."""
    level: list[Any] = [value]
    for _ in range(most + 1):
        level = [
            one
            for found in level
            if isinstance(found, dict | list)
            for one in (found.values() if isinstance(found, dict) else found)
        ]
        if not level:
            return False
    return True
