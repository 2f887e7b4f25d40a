"""What a tool call may look like, as a grammar: a tool's name, then arguments by its schema."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from axk1.chat.messages import Tool
from axk1.chat.sampling import Calls, SamplingParams
from axk1.engine.structure import laid_out
from axk1.server.calls import ToolChoice
from axk1.server.errors import bad_request
from axk1.tokenizer.special import END_TOOL_CALL, TOOL_CALL
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["with_calls"]


def with_calls(
    params: SamplingParams, tools: Sequence[Tool], choice: ToolChoice, tokenizer: Tokenizer
) -> SamplingParams:
    """The parameters under which only the calls come that may come, well formed. A tokenizer without tokens for the
    tags leaves the model free. `tools` are those that `offered` gives."""
    begin, end = tokenizer.named_ids.get(TOOL_CALL), tokenizer.named_ids.get(END_TOOL_CALL)
    if begin is None or end is None:
        return params
    if not tools:
        return params if params.structured else replace(params, calls=Calls(begin))
    call = f"call: ws body ws <[{end}]>\nws: /[ \\n]?/\nbody: %json {laid_out(_schema(tools))}\n"
    if choice.mode == "auto" and not params.structured:
        return replace(params, calls=Calls(begin, f"start: call\n{call}", None if choice.parallel else 1))
    calls = f"(<[{begin}]> call)" + ("+" if choice.parallel else "")
    answer, rules = ("", "") if choice.mode == "required" else _answer(params)
    grammar = f"start: {calls}{answer}\n{rules}{call}"
    return replace(params, json_schema=None, regex=None, grammar=grammar)


def _answer(params: SamplingParams) -> tuple[str, str]:
    """The structure that was asked for, beside the calls."""
    if params.grammar is not None:
        raise bad_request("a grammar and tools do not go together: send one of them", "tools")
    if params.regex is not None:
        return " | answer", f"answer: /{_in_slashes(params.regex)}/\n"
    assert params.json_schema is not None
    return " | answer", f"answer: %json {laid_out(params.json_schema)}\n"


def _in_slashes(regex: str) -> str:
    """The same where a slash would end it; one that is escaped already stays."""
    return re.sub(r"\\.|/", lambda found: "\\/" if found.group() == "/" else found.group(), regex, flags=re.DOTALL)


def _schema(tools: Sequence[Tool]) -> dict[str, Any]:
    """A JSON schema of all calls. Each tool's own schema is a definition, so that its references stay within it."""
    roots = [f"#/$defs/{place}" for place in range(len(tools))]
    definitions = {
        str(place): {"type": "object"} | _moved(tool.parameters, root)
        for place, (tool, root) in enumerate(zip(tools, roots, strict=True))
    }
    calls = [_call(tool.name, root) for tool, root in zip(tools, roots, strict=True)]
    return {"anyOf": calls, "$defs": definitions}


def _call(name: str, arguments: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"const": name}, "arguments": {"$ref": arguments}},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _moved(schema: Any, root: str) -> Any:
    """A schema whose references into itself begin at `root`."""
    if isinstance(schema, list | tuple):
        return [_moved(one, root) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    moved = {key: _moved(one, root) for key, one in schema.items()}
    if isinstance(reference := moved.get("$ref"), str) and reference.startswith("#"):
        moved["$ref"] = root + reference[1:]
    return moved
