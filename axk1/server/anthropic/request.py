"""A request to /v1/messages, made a call of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from axk1.chat.messages import Tool
from axk1.chat.sampling import SamplingParams
from axk1.server.anthropic.conversation import conversation
from axk1.server.calls import ChatCall, Thinking, ToolChoice
from axk1.server.errors import bad_request
from axk1.server.fields import entries, flag, json_of, known, mapping, number, one_of, text, whole, without_nulls, wrong
from axk1.server.settings import ThinkingSettings
from axk1.server.thinking import Effort, of_anthropic, of_openai

__all__ = ["call_of", "parsed", "streamed"]

_COUNTED = (
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "output_format",
    "speed",
)
_COUNTED_IDLE = ("cache_control",)
_ASKED = ("max_tokens", "stop_sequences", "stream", "temperature", "top_p", "top_k", "metadata", "service_tier")
_REFUSED = (
    "billing_policy",
    "compaction",
    "container",
    "context_management",
    "diagnostics",
    "fallback_credit_token",
    "fallbacks",
    "inference_geo",
    "mcp_servers",
    "thread",
    "user_profile_id",
    "workspace_id",
)
_TOOL_REFUSED = ("allowed_callers", "defer_loading", "input_examples")
_TOOL_IDLE = ("strict", "eager_input_streaming")  # arguments follow the schema, and come as they are made, anyway
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


def parsed(body: bytes, deepest: int) -> dict[str, Any]:
    """400 for what is no JSON object or too deep; a null is as if the field were left out."""
    return without_nulls(mapping(json_of(body, deepest), "body"))


def streamed(body: Mapping[str, Any]) -> bool:
    """Whether the answer shall come as events."""
    return flag(body.get("stream", False), "stream")


def call_of(body: Mapping[str, Any], settings: ThinkingSettings, *, counted: bool = False) -> ChatCall:
    """The call; `counted`: it is only to be counted and has no max_tokens. ApiError in one line."""
    _check_offered(body, "", _REFUSED)
    one_of(body.get("speed", "standard"), "speed", ("standard",))
    known(body, "", _COUNTED + _COUNTED_IDLE + (() if counted else _ASKED))
    tools = tuple(_tool(one, f"tools.{place}") for place, one in enumerate(entries(body.get("tools", []), "tools")))
    names = [tool.name for tool in tools]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise wrong(f"tools.{place}.name", f"{name!r} is given twice")
    most = None if counted else whole(body.get("max_tokens"), "max_tokens", 1)
    return ChatCall(
        text(body.get("model"), "model"),
        conversation(body.get("system"), body.get("messages")),
        tools,
        _choice(body.get("tool_choice"), tools),
        _thinking(body, settings, most),
        _sampling(body, most),
    )


def _check_offered(value: Mapping[str, Any], where: str, refused: tuple[str, ...]) -> None:
    """400 for what the API has and this server has not."""
    for name in refused:
        if name in value:
            raise wrong(f"{where}.{name}" if where else name, "is not offered by this server: leave it out")


def _tool(value: object, where: str) -> Tool:
    tool = without_nulls(mapping(value, where))
    if tool.get("type") not in (None, "custom"):
        raise wrong(f"{where}.type", f"{tool['type']!r} is not offered: give functions of your own (type 'custom')")
    _check_offered(tool, where, _TOOL_REFUSED)
    known(tool, where, ("type", "name", "description", "input_schema", *_TOOL_IDLE, "cache_control"))
    for name in _TOOL_IDLE:
        flag(tool.get(name, False), f"{where}.{name}")
    schema = mapping(tool.get("input_schema"), f"{where}.input_schema")
    return Tool(
        text(tool.get("name"), f"{where}.name"), text(tool.get("description", ""), f"{where}.description"), schema
    )


def _choice(value: object, tools: tuple[Tool, ...]) -> ToolChoice:
    if value is None:
        return ToolChoice()
    choice = without_nulls(mapping(value, "tool_choice"))
    known(choice, "tool_choice", ("type", "name", "disable_parallel_tool_use"))
    kind = one_of(choice.get("type"), "tool_choice.type", ("auto", "any", "tool", "none"))
    parallel = not flag(choice.get("disable_parallel_tool_use", False), "tool_choice.disable_parallel_tool_use")
    if kind in ("any", "tool") and not tools:
        raise wrong("tool_choice", "asks for a call, but there are no tools")
    if kind != "tool":
        return ToolChoice({"any": "required", "none": "none"}.get(kind, "auto"), (), parallel)  # type: ignore[arg-type]
    name = text(choice.get("name"), "tool_choice.name")
    if name not in [tool.name for tool in tools]:
        raise wrong("tool_choice.name", f"no tool has the name {name!r}")
    return ToolChoice("required", (name,), parallel)


def _thinking(body: Mapping[str, Any], settings: ThinkingSettings, most: int | None) -> Thinking:
    asked = without_nulls(mapping(body.get("thinking", {"type": "disabled"}), "thinking"))
    known(asked, "thinking", ("type", "budget_tokens", "display"))
    one_of(asked.get("display", "summarized"), "thinking.display", ("summarized",))
    kind = one_of(asked.get("type"), "thinking.type", ("enabled", "disabled", "adaptive"))
    effort = mapping(body.get("output_config", {}), "output_config").get("effort")
    if effort is not None:
        one_of(effort, "output_config.effort", _EFFORTS)
    if kind == "enabled":
        budget = whole(asked.get("budget_tokens"), "thinking.budget_tokens", 1)
        if most is not None and budget >= most:
            raise wrong("thinking.budget_tokens", f"must be below max_tokens: {budget} is not below {most}")
        return of_anthropic("enabled", budget)
    if "budget_tokens" in asked:
        raise wrong("thinking.budget_tokens", f"belongs to type 'enabled', not {kind!r}")
    return of_openai(settings, cast(Effort, effort or "high"), {}) if kind == "adaptive" else Thinking()


def _sampling(body: Mapping[str, Any], most: int | None) -> SamplingParams:
    values: dict[str, Any] = {"seed": None, "max_tokens": most, "json_schema": _schema(body)}
    values |= {name: number(body[name], name) for name in ("temperature", "top_p") if name in body}
    if "top_k" in body:
        values["top_k"] = whole(body["top_k"], "top_k", 0)
    stops = entries(body.get("stop_sequences", []), "stop_sequences")
    values["stop"] = tuple(text(one, f"stop_sequences.{place}") for place, one in enumerate(stops))
    metadata = without_nulls(mapping(body.get("metadata", {}), "metadata"))
    known(metadata, "metadata", ("user_id",))
    text(metadata.get("user_id", ""), "metadata.user_id")
    one_of(body.get("service_tier", "auto"), "service_tier", ("auto", "standard_only"))
    try:
        return SamplingParams(**values)
    except ValueError as error:
        raise bad_request(str(error)) from error


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    config = mapping(body.get("output_config", {}), "output_config")
    known(config, "output_config", ("effort", "format"))
    if config.get("format") is not None and "output_format" in body:
        raise wrong("output_format", "is the older name of output_config.format: send one of them")
    asked = config.get("format") or body.get("output_format")
    if asked is None:
        return None
    form = mapping(asked, "output_config.format")
    known(form, "output_config.format", ("type", "schema"))
    one_of(form.get("type"), "output_config.format.type", ("json_schema",))
    return mapping(form.get("schema"), "output_config.format.schema")
