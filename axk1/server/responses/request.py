"""A request to /v1/responses, made a call of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from axk1.chat.messages import Message, Tool
from axk1.chat.sampling import SamplingParams
from axk1.server.calls import ChatCall, ToolChoice
from axk1.server.errors import bad_request
from axk1.server.fields import entries, flag, known, mapping, number, one_of, text, whole, without_nulls, wrong
from axk1.server.responses.items import messages_of
from axk1.server.settings import ThinkingSettings
from axk1.server.thinking import Effort, of_openai

__all__ = ["COUNTED", "CREATED", "call_of", "format_of", "tools_of"]

COUNTED = (
    "model",
    "input",
    "instructions",
    "previous_response_id",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "truncation",
)
CREATED = (
    *COUNTED,
    "stream",
    "stream_options",
    "store",
    "include",
    "metadata",
    "max_output_tokens",
    "temperature",
    "top_p",
    "top_logprobs",
    "presence_penalty",
    "frequency_penalty",
    "service_tier",
    "background",
    "user",
    "safety_identifier",
    "prompt_cache_key",
)
_REFUSED = (
    "access_programs",
    "background_options",
    "context_management",
    "image",
    "max_tool_calls",
    "moderation",
    "personality",
    "prompt",
    "prompt_cache_options",
    "prompt_cache_retention",
)
_LOGPROBS = "message.output_text.logprobs"
_INCLUDED = (_LOGPROBS, "reasoning.encrypted_content")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PAIRS, _KEY, _VALUE = 16, 64, 512  # of metadata
_FORMATS = {
    "text": ("type",),
    "json_object": ("type",),
    "json_schema": ("type", "name", "description", "schema", "strict"),
}


def call_of(
    body: Mapping[str, Any], items: Sequence[Mapping[str, Any]], settings: ThinkingSettings, names: Sequence[str]
) -> ChatCall:
    """The call for a conversation of `items`; the body's fields are `names` and no others. ApiError in one line."""
    _only(body, names)
    _check_idle(body)
    tools = tuple(Tool(one["name"], one["description"] or "", one["parameters"]) for one in tools_of(body))
    reasoning = without_nulls(mapping(body.get("reasoning", {}), "reasoning"))
    known(reasoning, "reasoning", ("effort", "summary"))
    one_of(reasoning.get("summary", "auto"), "reasoning.summary", ("auto",))
    effort = reasoning.get("effort")
    if effort is not None:
        one_of(effort, "reasoning.effort", get_args(Effort))
    begin = [Message("system", text(body["instructions"], "instructions"))] if "instructions" in body else []
    return ChatCall(
        text(body.get("model"), "model"),
        (*begin, *messages_of(items)),
        tools,
        _choice(body, tools),
        of_openai(settings, cast("Effort | None", effort), {}),
        _sampling(body),
    )


def _only(body: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in _REFUSED:
        if name in body:
            raise wrong(name, "is not offered by this server: leave it out")
    if "conversation" in body:
        raise wrong("conversation", "is not offered by this server: go on with previous_response_id")
    known(body, "", names)


def _check_idle(body: Mapping[str, Any]) -> None:
    """What decides nothing here must still be what the API has."""
    if flag(body.get("background", False), "background"):
        raise wrong("background", "is not offered: wait for the answer or stream it")
    one_of(body.get("truncation", "disabled"), "truncation", ("disabled",))
    one_of(body.get("service_tier", "auto"), "service_tier", ("auto", "default"))
    flag(body.get("store", True), "store")
    for name in ("user", "safety_identifier", "prompt_cache_key"):
        text(body.get(name, ""), name)
    options = mapping(body.get("stream_options", {}), "stream_options")
    known(options, "stream_options", ("include_obfuscation",))
    flag(options.get("include_obfuscation", False), "stream_options.include_obfuscation")
    if "stream_options" in body and not flag(body.get("stream", False), "stream"):
        raise wrong("stream_options", "goes with stream: set stream to true")
    _check_metadata(mapping(body.get("metadata", {}), "metadata"))


def _check_metadata(metadata: dict[str, Any]) -> None:
    if len(metadata) > _PAIRS:
        raise wrong("metadata", f"has {len(metadata)} pairs, the most is {_PAIRS}")
    for key, value in metadata.items():
        if len(key) > _KEY:
            raise wrong("metadata", f"a key has {len(key)} characters, the most is {_KEY}")
        if len(text(value, f"metadata.{key}")) > _VALUE:
            raise wrong(f"metadata.{key}", f"has {len(value)} characters, the most is {_VALUE}")


def tools_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tools with every field that a reply tells."""
    found = [_tool(one, f"tools.{place}") for place, one in enumerate(entries(body.get("tools", []), "tools"))]
    names = [one["name"] for one in found]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise wrong(f"tools.{place}.name", f"{name!r} is given twice")
    return found


def _tool(value: object, where: str) -> dict[str, Any]:
    tool = without_nulls(mapping(value, where))
    if tool.get("type") != "function":
        raise wrong(f"{where}.type", f"{tool.get('type')!r} is not offered: give functions of your own")
    known(tool, where, ("type", "name", "description", "parameters", "strict"))
    return {
        "type": "function",
        "name": _name(tool.get("name"), f"{where}.name"),
        "description": text(tool["description"], f"{where}.description") if "description" in tool else None,
        "parameters": mapping(tool.get("parameters", {"type": "object", "properties": {}}), f"{where}.parameters"),
        "strict": flag(tool.get("strict", False), f"{where}.strict"),
    }


def _name(value: object, where: str) -> str:
    if _NAME.fullmatch(text(value, where)) is None:
        raise wrong(where, "must be 1 to 64 of the characters a-z, A-Z, 0-9, _ and -")
    return str(value)


def _choice(body: Mapping[str, Any], tools: tuple[Tool, ...]) -> ToolChoice:
    parallel = flag(body.get("parallel_tool_calls", True), "parallel_tool_calls")
    asked = body.get("tool_choice", "auto")
    if isinstance(asked, str):
        mode = one_of(asked, "tool_choice", ("auto", "none", "required"))
        return ToolChoice(mode, (), parallel)  # type: ignore[arg-type]
    kind = one_of(mapping(asked, "tool_choice").get("type"), "tool_choice.type", ("function", "allowed_tools"))
    names = [tool.name for tool in tools]
    if kind == "function":
        known(asked, "tool_choice", ("type", "name"))
        return ToolChoice("required", (one_of(asked.get("name"), "tool_choice.name", names),), parallel)
    known(asked, "tool_choice", ("type", "mode", "tools"))
    mode = one_of(asked.get("mode"), "tool_choice.mode", ("auto", "required"))
    allowed = []
    for place, one in enumerate(entries(asked.get("tools"), "tool_choice.tools")):
        where = f"tool_choice.tools.{place}"
        known(mapping(one, where), where, ("type", "name"))
        one_of(one.get("type"), f"{where}.type", ("function",))
        allowed.append(one_of(one.get("name"), f"{where}.name", names))
    if not allowed:
        raise wrong("tool_choice.tools", "must name at least one tool")
    return ToolChoice(mode, tuple(allowed), parallel)  # type: ignore[arg-type]


def _sampling(body: Mapping[str, Any]) -> SamplingParams:
    values: dict[str, Any] = {"seed": None, "logprobs": _logprobs(body)}
    for name, least, most in _RANGES:
        if name in body:
            values[name] = number(body[name], name, least, most)
    if "max_output_tokens" in body:
        values["max_tokens"] = whole(body["max_output_tokens"], "max_output_tokens", 1)
    form = format_of(body)
    if form["type"] != "text":
        values["json_schema"] = form.get("schema", {"type": "object"})
    try:
        return SamplingParams(**values)
    except ValueError as error:
        raise bad_request(str(error)) from error


_RANGES = (("temperature", 0, 2), ("top_p", 0, 1), ("presence_penalty", -2, 2), ("frequency_penalty", -2, 2))


def _logprobs(body: Mapping[str, Any]) -> int | None:
    """How many likeliest tokens are told beside each; None: no log-probabilities at all."""
    asked = [
        one_of(one, f"include.{place}", _INCLUDED)
        for place, one in enumerate(entries(body.get("include", []), "include"))
    ]
    top = whole(body.get("top_logprobs", 0), "top_logprobs", 0)
    if top > 20:
        raise wrong("top_logprobs", "must be at most 20")
    return top if top or _LOGPROBS in asked else None


def format_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """`text.format` with every field that a reply tells."""
    asked = without_nulls(mapping(body.get("text", {}), "text"))
    known(asked, "text", ("format", "verbosity"))
    one_of(asked.get("verbosity", "medium"), "text.verbosity", ("medium",))
    form = without_nulls(mapping(asked.get("format", {"type": "text"}), "text.format"))
    kind = one_of(form.get("type"), "text.format.type", tuple(_FORMATS))
    known(form, "text.format", _FORMATS[kind])
    if kind != "json_schema":
        return {"type": kind}
    return {
        "type": kind,
        "name": _name(form.get("name"), "text.format.name"),
        "description": text(form["description"], "text.format.description") if "description" in form else None,
        "schema": mapping(form.get("schema"), "text.format.schema"),
        "strict": flag(form.get("strict", False), "text.format.strict"),
    }
