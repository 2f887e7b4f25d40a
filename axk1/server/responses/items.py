"""Items of a conversation: read from a request into the form in which they are kept and listed, then made messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from axk1.chat.messages import Message, Role, ToolCall
from axk1.server.fields import entries, known, mapping, one_of, text, without_nulls, wrong
from axk1.server.responses.names import item_id

__all__ = ["item_of", "messages_of", "reference_of"]

_STATUS = ("in_progress", "completed", "incomplete")
_MEANT: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
_TEXT = {"input_text": "text", "output_text": "text", "refusal": "refusal"}
_IDLE = {"output_text": ("annotations", "logprobs")}  # of an answer that comes back: nothing new to the model


def reference_of(value: object, where: str) -> str | None:
    """The id that an `item_reference` names; None for any other item. 400."""
    if not isinstance(value, dict) or value.get("type") != "item_reference":
        return None
    known(value, where, ("type", "id"))
    return text(value.get("id"), f"{where}.id")


def item_of(value: object, where: str, answer: str, place: int) -> dict[str, Any]:
    """An item in the form in which it is kept: with an id (its own, or one that tells `answer` and `place`) and a
    status, its content a list. 400 for what cannot be read, with `where` it is."""
    item = without_nulls(mapping(value, where))
    kind = one_of(item.get("type", "message"), f"{where}.type", tuple(_READERS))
    one_of(item.get("status", "completed"), f"{where}.status", _STATUS)
    name = text(item.get("id", item_id(answer, kind, place)), f"{where}.id")
    head = {"id": name, "type": kind, "status": item.get("status", "completed")}
    return head | _READERS[kind](item, where)


def _message(item: dict[str, Any], where: str) -> dict[str, Any]:
    known(item, where, ("type", "id", "status", "role", "content", "phase"))
    role = one_of(item.get("role"), f"{where}.role", tuple(_MEANT))
    one_of(item.get("phase", "final_answer"), f"{where}.phase", ("commentary", "final_answer"))
    kinds = ("output_text", "refusal") if role == "assistant" else ("input_text",)
    return {"role": role, "content": _parts(item.get("content"), f"{where}.content", kinds)}


def _reasoning(item: dict[str, Any], where: str) -> dict[str, Any]:
    known(item, where, ("type", "id", "status", "summary", "content", "encrypted_content"))
    return {
        "summary": _thoughts(item.get("summary", []), f"{where}.summary", "summary_text"),
        "content": _thoughts(item.get("content", []), f"{where}.content", "reasoning_text"),
    }


def _call(item: dict[str, Any], where: str) -> dict[str, Any]:
    known(item, where, ("type", "id", "status", "call_id", "name", "arguments"))
    arguments = text(item.get("arguments"), f"{where}.arguments")
    try:
        mapping(orjson.loads(arguments or "{}"), f"{where}.arguments")
    except orjson.JSONDecodeError as error:
        raise wrong(f"{where}.arguments", f"is not JSON: {error}") from error
    found = {name: text(item.get(name), f"{where}.{name}") for name in ("call_id", "name")}
    return found | {"arguments": arguments}


def _output(item: dict[str, Any], where: str) -> dict[str, Any]:
    known(item, where, ("type", "id", "status", "call_id", "output"))
    output = item.get("output")
    if not isinstance(output, str):
        output = _parts(output, f"{where}.output", ("input_text",))
    return {"call_id": text(item.get("call_id"), f"{where}.call_id"), "output": output}


_READERS = {"message": _message, "reasoning": _reasoning, "function_call": _call, "function_call_output": _output}


def _parts(content: object, where: str, kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    """The parts of a message."""
    if isinstance(content, str):
        return [_part(kinds[0], content)]
    found = []
    for place, value in enumerate(entries(content, where)):
        here = f"{where}.{place}"
        part = without_nulls(mapping(value, here))
        kind = part.get("type")
        if kind in ("input_image", "input_file", "input_audio"):
            raise wrong(f"{here}.type", f"{kind!r} cannot be read here: this model reads text only")
        one_of(kind, f"{here}.type", kinds)
        assert isinstance(kind, str)
        known(part, here, ("type", _TEXT[kind], *_IDLE.get(kind, ())))
        found.append(_part(kind, text(part.get(_TEXT[kind]), f"{here}.{_TEXT[kind]}")))
    return found


def _part(kind: str, said: str) -> dict[str, Any]:
    lists: dict[str, Any] = {name: [] for name in _IDLE.get(kind, ())}
    return {"type": kind, _TEXT[kind]: said} | lists


def _thoughts(content: object, where: str, kind: str) -> list[dict[str, Any]]:
    found = []
    for place, value in enumerate(entries(content, where)):
        here = f"{where}.{place}"
        part = mapping(value, here)
        known(part, here, ("type", "text"))
        one_of(part.get("type"), f"{here}.type", (kind,))
        found.append({"type": kind, "text": text(part.get("text"), f"{here}.text")})
    return found


def messages_of(items: Sequence[Mapping[str, Any]]) -> list[Message]:
    """The conversation: what the assistant said in a row is one message. 400 for an output that no call asked for."""
    found: list[Message] = []
    asked: set[str] = set()
    for item in items:
        made = _as_message(item)
        asked |= {call.id for call in made.tool_calls}
        if made.role == "tool" and made.tool_call_id not in asked:
            raise wrong("input", f"no function_call before it has the call_id {made.tool_call_id!r} of an output")
        if made.role == "assistant" and found and found[-1].role == "assistant":
            last = found.pop()
            thoughts, calls = last.reasoning_content + made.reasoning_content, last.tool_calls + made.tool_calls
            made = Message("assistant", last.content + made.content, thoughts, calls)
        found.append(made)
    return found


def _as_message(item: Mapping[str, Any]) -> Message:
    kind = item["type"]
    if kind == "function_call":
        return Message("assistant", "", "", (_as_call(item),))
    if kind == "function_call_output":
        return Message("tool", _joined(item["output"]), tool_call_id=item["call_id"])
    if kind == "reasoning":
        return Message("assistant", "", _joined(item["content"] or item["summary"]))
    return Message(_MEANT[item["role"]], _joined(item["content"]))


def _as_call(item: Mapping[str, Any]) -> ToolCall:
    try:
        arguments = orjson.loads(item["arguments"] or "{}")
    except orjson.JSONDecodeError as error:
        message = f"the function_call {item['call_id']!r} was cut off in its arguments: ask again with more tokens"
        raise wrong("input", message) from error
    return ToolCall(item["name"], arguments, item["call_id"])


def _joined(content: str | Sequence[Mapping[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part[_TEXT.get(part["type"], "text")] for part in content)
