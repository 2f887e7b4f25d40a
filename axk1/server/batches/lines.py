"""The lines of a batch's input file: read one at a time, and checked before the first is answered."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

__all__ = ["Checked", "Line", "LineError", "Rules", "check", "read"]

MOST_LINES = 50_000
MOST_ERRORS = 100  # more are not told
_MOST_ID = 512  # characters of a custom_id
_KNOWN = ("custom_id", "method", "url", "body")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Rules:
    """What a line must be: a request to `endpoint` of one of `models`, of at most `most_bytes`."""

    endpoint: str
    models: Collection[str]
    most_bytes: int


@dataclass(frozen=True)
class Line:
    """A request. `number` counts the file's lines from 1; `body` is JSON."""

    number: int
    custom_id: str
    body: bytes


@dataclass(frozen=True)
class LineError:
    """Why a file is no batch; `line` None: it is not one line's fault."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


@dataclass(frozen=True)
class Checked:
    """What a check found. `model` is the one that every line names, if it is one."""

    total: int
    model: str | None
    errors: tuple[LineError, ...]


def check(path: Path, rules: Rules) -> Checked:
    """Reads the whole file. Every wrong line is named, up to `MOST_ERRORS`."""
    errors: list[LineError] = []
    seen: dict[str, int] = {}
    models: set[str] = set()
    total = 0
    for number, raw in _raw_lines(path, rules.most_bytes):
        total += 1
        if len(raw) > rules.most_bytes:
            errors.append(LineError("line_too_long", f"the line is above {rules.most_bytes} bytes", number))
            break  # what follows is no longer cut into lines
        found = _fault(raw, number, rules, seen)
        if isinstance(found, LineError):
            errors.append(found)
        else:
            models.add(found)
        if total > MOST_LINES:
            errors.append(LineError("too_many_requests", f"a batch holds at most {MOST_LINES} requests"))
        if len(errors) >= MOST_ERRORS or total > MOST_LINES:
            break
    if not total:
        errors.append(LineError("empty_file", "the file holds no requests: send one JSON object a line"))
    return Checked(total, models.pop() or None if len(models) == 1 else None, tuple(errors))


def read(path: Path, most_bytes: int) -> Iterator[Line]:
    """The requests of a file that `check` found good."""
    for number, raw in _raw_lines(path, most_bytes):
        record = orjson.loads(raw)
        yield Line(number, record["custom_id"], orjson.dumps(record["body"]))


def _raw_lines(path: Path, most: int) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their numbers; no more of one is read than shows that it is too long."""
    number = 0
    with path.open("rb") as file:
        while raw := file.readline(most + 2):
            number += 1
            raw = (raw.removeprefix(_BOM) if number == 1 else raw).strip()
            if raw:
                yield number, raw


def _fault(raw: bytes, number: int, rules: Rules, seen: dict[str, int]) -> LineError | str:
    """What is wrong with a line, or the model that it names ("" for none)."""
    try:
        record = orjson.loads(raw)
        orjson.dumps(record)  # refuses what is nested too deeply
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
        return LineError("invalid_json_line", f"the line is no JSON: {error}", number)
    if not isinstance(record, dict):
        return LineError("invalid_json_line", "the line must be a JSON object", number)
    return _frame_fault(record, number, rules, seen) or _body_fault(record["body"], number, rules)


def _frame_fault(record: dict[str, Any], number: int, rules: Rules, seen: dict[str, int]) -> LineError | None:
    custom_id = record.get("custom_id")
    unknown = [name for name in record if name not in _KNOWN]
    if unknown:
        return LineError("unknown_parameter", f"unknown field {unknown[0]!r}; known: {', '.join(_KNOWN)}", number)
    if not isinstance(custom_id, str) or not 0 < len(custom_id) <= _MOST_ID:
        message = f"custom_id must be a text of 1 to {_MOST_ID} characters"
        return LineError("invalid_custom_id", message, number, "custom_id")
    if custom_id in seen:
        message = f"custom_id {custom_id!r} is that of line {seen[custom_id]} too"
        return LineError("duplicate_custom_id", message, number, "custom_id")
    seen[custom_id] = number
    if record.get("method") != "POST":
        return LineError("invalid_method", "method must be POST", number, "method")
    if record.get("url") != rules.endpoint:
        return LineError("mismatched_url", f"url must be the batch's endpoint {rules.endpoint}", number, "url")
    if not isinstance(record.get("body"), dict):
        return LineError("invalid_body", "body must be a JSON object", number, "body")
    return None


def _body_fault(body: dict[str, Any], number: int, rules: Rules) -> LineError | str:
    model = body.get("model", "")
    if not isinstance(model, str) or (model and model not in rules.models):
        known = ", ".join(rules.models)
        return LineError("model_not_found", f"the model {model!r} does not exist; known: {known}", number, "body.model")
    if body.get("stream"):
        return LineError("stream_not_supported", "a batch cannot stream: leave stream out", number, "body.stream")
    return model
