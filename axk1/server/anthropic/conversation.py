"""Anthropic's messages and their blocks, made messages of ours."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from axk1.chat.messages import Message, ToolCall
from axk1.server.fields import entries, flag, known, mapping, one_of, text, without_nulls, wrong

__all__ = ["conversation", "signature_of"]

_SIGNED = "axk1-"
_CACHE = "cache_control"  # our cache finds equal beginnings by itself


def signature_of(thinking: str) -> str:
    """A checksum: it shows that the text came back unchanged, not who wrote it."""
    return _SIGNED + hashlib.sha256(thinking.encode()).hexdigest()


def conversation(system: object, messages: object) -> tuple[Message, ...]:
    """`system` and `messages` of a request. ApiError for what cannot be read."""
    found: list[Message] = []
    if system is not None:
        found.append(Message("system", _plain(system, "system")))
    asked: set[str] = set()
    turns = entries(messages, "messages")
    if not turns:
        raise wrong("messages", "must hold at least one message")
    for place, turn in enumerate(turns):
        where = f"messages.{place}"
        known(mapping(turn, where), where, ("role", "content"))
        role = one_of(turn.get("role"), f"{where}.role", ("user", "assistant", "system"))
        blocks = _blocks(turn.get("content"), f"{where}.content")
        if role == "user":
            found += _user(blocks, f"{where}.content", asked)
        elif role == "system":
            found.append(Message("system", _plain(turn.get("content"), f"{where}.content")))
        else:
            found.append(_assistant(blocks, f"{where}.content"))
            asked |= {call.id for call in found[-1].tool_calls}
    if turns[-1]["role"] != "user":
        raise wrong("messages", "the last message must be the user's: an answer cannot be begun for the model")
    return tuple(found)


def _blocks(content: object, where: str) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [without_nulls(mapping(one, f"{where}.{place}")) for place, one in enumerate(entries(content, where))]


def _plain(content: object, where: str) -> str:
    blocks = _blocks(content, where)
    return "\n".join(_text(one, f"{where}.{place}") for place, one in enumerate(blocks))


def _text(block: dict[str, Any], where: str) -> str:
    if block.get("type") == "document":
        return _document(block, where)
    if block.get("type") != "text":
        raise wrong(f"{where}.type", f"{block.get('type')!r} cannot be read here: this model reads text only")
    known(block, where, ("type", "text", _CACHE))
    return text(block.get("text"), f"{where}.text")


def _document(block: dict[str, Any], where: str) -> str:
    known(block, where, ("type", "source", "title", "context", _CACHE))
    source = mapping(block.get("source"), f"{where}.source")
    if source.get("type") != "text":
        raise wrong(f"{where}.source", "only a document of plain text (source type 'text') can be read")
    known(source, f"{where}.source", ("type", "media_type", "data"))
    one_of(source.get("media_type"), f"{where}.source.media_type", ("text/plain",))
    parts = [text(block[name], f"{where}.{name}") for name in ("title", "context") if block.get(name) is not None]
    return "\n".join([*parts, text(source.get("data"), f"{where}.source.data")])


def _user(blocks: list[dict[str, Any]], where: str, asked: set[str]) -> list[Message]:
    found: list[Message] = []
    said: list[str] = []
    for place, block in enumerate(blocks):
        here = f"{where}.{place}"
        if block.get("type") != "tool_result":
            said.append(_text(block, here))
        elif said:
            raise wrong(here, "tool_result blocks must come before text")
        else:
            found.append(_result(block, here, asked))
    return [*found, Message("user", "\n".join(said))] if said or not found else found


def _result(block: dict[str, Any], where: str, asked: set[str]) -> Message:
    known(block, where, ("type", "tool_use_id", "content", "is_error", _CACHE))
    name = text(block.get("tool_use_id"), f"{where}.tool_use_id")
    if name not in asked:
        raise wrong(f"{where}.tool_use_id", f"no tool_use block before it has the id {name!r}")
    content = _plain(block["content"], f"{where}.content") if block.get("content") is not None else ""
    failed = flag(block.get("is_error", False), f"{where}.is_error")
    return Message("tool", f"Error: {content}" if failed else content, tool_call_id=name)


@dataclass
class _Said:
    thoughts: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)


def _assistant(blocks: list[dict[str, Any]], where: str) -> Message:
    said = _Said()
    for place, block in enumerate(blocks):
        _add(said, block, f"{where}.{place}")
    return Message("assistant", "".join(said.texts), "".join(said.thoughts), tuple(said.calls))


def _add(said: _Said, block: dict[str, Any], where: str) -> None:
    kind = block.get("type")
    if kind == "thinking":
        said.thoughts.append(_thought(block, where))
    elif kind == "tool_use":
        known(block, where, ("type", "id", "name", "input", "caller", _CACHE))
        name = text(block.get("name"), f"{where}.name")
        call = ToolCall(name, mapping(block.get("input"), f"{where}.input"), text(block.get("id"), f"{where}.id"))
        said.calls.append(call)
    elif kind == "redacted_thinking":
        known(block, where, ("type", "data"))  # another server's secret: nobody here can read it
    else:
        known(block, where, ("type", "text", "citations", _CACHE))
        said.texts.append(_text({name: one for name, one in block.items() if name != "citations"}, where))


def _thought(block: dict[str, Any], where: str) -> str:
    known(block, where, ("type", "thinking", "signature"))
    thought = text(block.get("thinking"), f"{where}.thinking")
    signature = text(block.get("signature"), f"{where}.signature")
    if signature.startswith(_SIGNED) and signature != signature_of(thought):
        raise wrong(f"{where}.signature", "the thinking block was changed: send it back as it came, or leave it out")
    return thought
