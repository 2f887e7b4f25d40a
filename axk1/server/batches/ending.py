"""The output and error file of a batch that has ended, and what it used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from axk1.runs import whole_file
from axk1.server.batches.partial import Result

__all__ = ["Ending", "file_id", "write"]


@dataclass(frozen=True)
class Ending:
    """What was written: lines of each file, and tokens in OpenAI's words."""

    outputs: int
    errors: int
    usage: dict[str, Any]


def write(results: Iterator[Result], output: Path, errors: Path) -> Ending:
    """Both files, whole."""
    written = {True: 0, False: 0}
    tokens = [0, 0, 0, 0]  # in, of these cached, out, of these reasoning
    with ExitStack() as stack:
        files: dict[bool, BinaryIO] = {}
        for ok, path in ((True, output), (False, errors)):
            files[ok] = stack.enter_context(stack.enter_context(whole_file(path)).open("wb"))
        for result in results:
            files[result.ok].write(orjson.dumps(result.record) + b"\n")
            written[result.ok] += 1
            tokens = [sum(both) for both in zip(tokens, _tokens(result), strict=True)]
    return Ending(written[True], written[False], _usage(*tokens))


def file_id(batch_id: str, kind: str) -> str:
    """The id that a batch's file of this kind has, each time that it is made."""
    return f"file-{hashlib.sha256(f'{batch_id} {kind}'.encode()).hexdigest()[:32]}"


def _tokens(result: Result) -> tuple[int, int, int, int]:
    """From a reply's usage, as chat and completions (prompt, completion) or responses (input, output) say it."""
    usage = ((result.record["response"] or {}).get("body") or {}).get("usage") or {}
    read, cached = _with_detail(usage, ("input_tokens", "prompt_tokens"), "cached_tokens")
    written, reasoning = _with_detail(usage, ("output_tokens", "completion_tokens"), "reasoning_tokens")
    return read, cached, written, reasoning


def _with_detail(usage: dict[str, Any], names: tuple[str, str], detail: str) -> tuple[int, int]:
    for name in names:
        if name in usage:
            return usage[name], (usage.get(f"{name}_details") or {}).get(detail) or 0
    return 0, 0


def _usage(read: int, cached: int, written: int, reasoning: int) -> dict[str, Any]:
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": read + written,
    }
