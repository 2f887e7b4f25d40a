"""A request to /v1/responses, made a call of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

import orjson

from axk1.chat.messages import Message, Tool, ToolCall
from axk1.chat.sampling import SamplingParams
from axk1.server.calls import ChatCall, ToolChoice
from axk1.server.errors import bad_request
from axk1.server.fields import entries, flag, known, mapping, one_of, text, whole, wrong
from axk1.server.settings import ThinkingSettings
from axk1.server.thinking import Effort, of_openai

__all__ = ["call_of", "items_of"]

_HONOURED = ("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning")
_PLAIN = ("max_output_tokens", "temperature", "top_p", "metadata", "store", "truncation", "stream", "background")
_IDLE = ("previous_response_id", "user", "safety_identifier", "prompt_cache_key")


def items_of(value: object) -> list[dict[str, Any]]:
    """`input` as a list of items."""
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": value}]
    return [mapping(one, f"input.{place}") for place, one in enumerate(entries(value, "input"))]


def call_of(body: Mapping[str, Any], items: list[dict[str, Any]], settings: ThinkingSettings) -> ChatCall:
    """The call for a conversation of `items`. ApiError in one line."""
    known(body, "", _HONOURED + _PLAIN + _IDLE)
    if flag(body.get("background", False), "background"):
        raise wrong("background", "is not offered: wait for the answer or stream it")
    one_of(body.get("truncation", "disabled"), "truncation", ("disabled",))
    tools = tuple(_tool(one, f"tools.{place}") for place, one in enumerate(entries(body.get("tools", []), "tools")))
    reasoning = mapping(body.get("reasoning", {}), "reasoning")
    known(reasoning, "reasoning", ("effort",))
    effort = reasoning.get("effort")
    if effort is not None:
        one_of(effort, "reasoning.effort", get_args(Effort))
    begin = [Message("system", text(body["instructions"], "instructions"))] if "instructions" in body else []
    return ChatCall(
        text(body.get("model"), "model"),
        (*begin, *_messages(items)),
        tools,
        _choice(body, tools),
        of_openai(settings, cast("Effort | None", effort), {}),
        _sampling(body),
    )


def _messages(items: list[dict[str, Any]]) -> list[Message]:
    found: list[Message] = []
    for place, item in enumerate(items):
        made = _message(item, f"input.{place}")
        joins = found and made.role == "assistant" and found[-1].role == "assistant"
        if not joins:
            found.append(made)
            continue
        last = found.pop()
        thoughts, calls = last.reasoning_content + made.reasoning_content, last.tool_calls + made.tool_calls
        found.append(Message("assistant", last.content + made.content, thoughts, calls))
    return found


def _message(item: dict[str, Any], where: str) -> Message:
    kind = item.get("type", "message")
    if kind == "function_call":
        return Message("assistant", "", "", (_called(item, where),))
    if kind == "function_call_output":
        output = _text(item.get("output"), f"{where}.output")
        return Message("tool", output, tool_call_id=text(item.get("call_id"), f"{where}.call_id"))
    if kind == "reasoning":
        return Message("assistant", "", _text(item.get("content", []), f"{where}.content"))
    if kind != "message":
        raise wrong(f"{where}.type", f"{kind!r} is not offered")
    role = one_of(item.get("role"), f"{where}.role", ("user", "assistant", "system", "developer"))
    role = "system" if role == "developer" else role
    return Message(role, _text(item.get("content"), f"{where}.content"))  # type: ignore[arg-type]


def _called(item: dict[str, Any], where: str) -> ToolCall:
    try:
        arguments = orjson.loads(text(item.get("arguments"), f"{where}.arguments") or "{}")
    except orjson.JSONDecodeError as error:
        raise wrong(f"{where}.arguments", f"is not JSON: {error}") from error
    name, call_id = text(item.get("name"), f"{where}.name"), text(item.get("call_id"), f"{where}.call_id")
    return ToolCall(name, mapping(arguments, f"{where}.arguments"), call_id)


def _text(content: object, where: str) -> str:
    if isinstance(content, str):
        return content
    said = []
    for place, part in enumerate(entries(content, where)):
        here = f"{where}.{place}"
        kinds = ("input_text", "output_text", "reasoning_text")
        one_of(mapping(part, here).get("type"), f"{here}.type", kinds)
        said.append(text(part.get("text"), f"{here}.text"))
    return "".join(said)


def _tool(value: object, where: str) -> Tool:
    tool = mapping(value, where)
    if tool.get("type") != "function":
        raise wrong(f"{where}.type", f"{tool.get('type')!r} is not offered: give functions of your own")
    known(tool, where, ("type", "name", "description", "parameters", "strict"))
    parameters = mapping(tool.get("parameters") or {"type": "object", "properties": {}}, f"{where}.parameters")
    return Tool(text(tool.get("name"), f"{where}.name"), text(tool.get("description") or "", where), parameters)


def _choice(body: Mapping[str, Any], tools: tuple[Tool, ...]) -> ToolChoice:
    parallel = flag(body.get("parallel_tool_calls", True), "parallel_tool_calls")
    asked = body.get("tool_choice", "auto")
    if isinstance(asked, str):
        mode = one_of(asked, "tool_choice", ("auto", "none", "required"))
        return ToolChoice(mode, (), parallel)  # type: ignore[arg-type]
    known(mapping(asked, "tool_choice"), "tool_choice", ("type", "name"))
    one_of(asked.get("type"), "tool_choice.type", ("function",))
    name = one_of(asked.get("name"), "tool_choice.name", [tool.name for tool in tools])
    return ToolChoice("required", (name,), parallel)


def _sampling(body: Mapping[str, Any]) -> SamplingParams:
    values: dict[str, Any] = {name: body[name] for name in ("temperature", "top_p") if name in body}
    if "max_output_tokens" in body:
        values["max_tokens"] = whole(body["max_output_tokens"], "max_output_tokens", 1)
    form = mapping(mapping(body.get("text", {}), "text").get("format") or {"type": "text"}, "text.format")
    known(body.get("text", {}), "text", ("format",))
    known(form, "text.format", ("type", "name", "description", "schema", "strict"))
    mapping(body.get("metadata", {}), "metadata")
    kind = one_of(form.get("type"), "text.format.type", ("text", "json_object", "json_schema"))
    if kind != "text":
        schema = {"type": "object"} if kind == "json_object" else form.get("schema")
        values["json_schema"] = mapping(schema, "text.format.schema")
    try:
        return SamplingParams(seed=None, **values)
    except ValueError as error:
        raise bad_request(str(error)) from error
