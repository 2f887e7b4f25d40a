"""Exercises as JSON lines: what the curriculum made, or what a user wrote in the same form."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from axk1.corpus.documents import JsonLines
from axk1.corpus.exercise import Call, Exercise, ToolSpec
from axk1.corpus.streams import CorpusError, lines_of

__all__ = ["from_mapping", "read_exercises", "to_mapping", "write_exercises"]

_REQUIRED = ("family", "language", "question", "reasoning", "answer")
_KNOWN = frozenset(field.name for field in fields(Exercise))


def write_exercises(exercises: Iterable[Exercise], path: Path) -> int:
    """Write a .jsonl.zst file, one exercise a line; returns how many. OSError on a full disk."""
    with JsonLines(path) as file:
        for exercise in exercises:
            file.write(to_mapping(exercise))
        return file.written


def read_exercises(path: Path) -> Iterator[Exercise]:
    """The exercises of a .jsonl, .jsonl.gz or .jsonl.zst file, streamed. CorpusError names the file and the line."""
    for line in lines_of(path):
        try:
            yield from_mapping(json.loads(line.data))
        except ValueError as error:
            raise CorpusError(f"{path}:{line.number}: no exercise: {error}") from error


def to_mapping(exercise: Exercise) -> dict[str, Any]:
    """The exercise as JSON values; empty optional parts are left out."""
    values: dict[str, Any] = {name: getattr(exercise, name) for name in _REQUIRED}
    if exercise.call:
        values["call"] = _plain(exercise.call)
    if exercise.tools:
        values["tools"] = [_plain(tool) for tool in exercise.tools]
    if exercise.system:
        values["system"] = exercise.system
    if exercise.keys:
        values["keys"] = list(exercise.keys)
    return values


def from_mapping(values: Mapping[str, Any]) -> Exercise:
    """The exercise that `to_mapping` was given. ValueError for a missing, unknown or misshapen key."""
    if not isinstance(values, Mapping) or (missing := [name for name in _REQUIRED if name not in values]):
        raise ValueError(f"needs {', '.join(_REQUIRED)}" + (f"; {missing[0]!r} is missing" if values else ""))
    if unknown := sorted(values.keys() - _KNOWN):
        raise ValueError(f"unknown key {unknown[0]!r} (known: {', '.join(sorted(_KNOWN))})")
    if wrong := [name for name in _REQUIRED if not isinstance(values[name], str)]:
        raise ValueError(f"{wrong[0]!r} is no text")
    try:
        call = Call(**values["call"]) if "call" in values else None
        tools = tuple(ToolSpec(**tool) for tool in values.get("tools", ()))
    except TypeError as error:
        raise ValueError(f"a call is name and arguments, a tool name, description and parameters ({error})") from error
    extra = {"system": values.get("system", ""), "keys": tuple(values.get("keys", ()))}
    return Exercise(**{name: values[name] for name in _REQUIRED}, call=call, tools=tools, **extra)


def _plain(record: Call | ToolSpec) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}
