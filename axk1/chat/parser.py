"""What the model said, taken apart: reasoning, content, tool calls; whole or as it streams."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from axk1.chat.call_reader import CallReader
from axk1.chat.messages import Reply, ToolCall
from axk1.tokenizer.special import CONTROL, END_OF_TEXT, END_THINK, END_TOOL_CALL, IM_END, MARKUP, THINK, TOOL_CALL

__all__ = ["CallArguments", "CallBegin", "Content", "Event", "Malformed", "Reasoning", "StreamParser", "parse"]


@dataclass(frozen=True)
class Reasoning:
    """A further piece of the reasoning."""

    text: str


@dataclass(frozen=True)
class Content:
    """A further piece of the answer; `start` is its place in all text that was pushed."""

    text: str
    start: int = field(default=0, compare=False)


@dataclass(frozen=True)
class CallBegin:
    """A tool call has begun, and this is its name."""

    name: str


@dataclass(frozen=True)
class CallArguments:
    """A further piece of the JSON text of the arguments of the call that has begun."""

    text: str


@dataclass(frozen=True)
class Malformed:
    """Something that broke the format, in one line."""

    reason: str


Event = Reasoning | Content | ToolCall | CallBegin | CallArguments | Malformed
_State = Literal["reasoning", "content", "call", "ended"]

_ENDS = (IM_END, END_OF_TEXT)
# The tags that mean something in each state. In a call only its end does: JSON may quote the others.
_TAGS: Mapping[_State, tuple[str, ...]] = {
    "reasoning": (THINK, END_THINK, *_ENDS),
    "content": (*CONTROL, *MARKUP),
    "call": (END_TOOL_CALL, *_ENDS),
}
_PATTERNS = {state: re.compile("|".join(map(re.escape, tags))) for state, tags in _TAGS.items()}


def parse(text: str, thinking: bool) -> Reply:
    """Take apart what follows the generation prompt; `thinking` says which of the two prompts it was.

    Never an error: what breaks the format is named in `Reply.malformed` and left out of the content.
    """
    parser = StreamParser(thinking)
    events = [*parser.push(text), *parser.close()]
    return Reply(
        reasoning="".join(event.text for event in events if isinstance(event, Reasoning)),
        content="".join(event.text for event in events if isinstance(event, Content)),
        tool_calls=tuple(event for event in events if isinstance(event, ToolCall)),
        malformed="; ".join(event.reason for event in events if isinstance(event, Malformed)),
    )


class StreamParser:
    """Takes the text in pieces, however they are cut, and gives events; a tag that may be coming is held back.

    A tool call is one event, when it is complete; with `calls_in_pieces` its name and arguments come as they are
    written, and one that breaks off or is no call at all is Malformed behind what has come. White space alone after a
    tool call is not content.
    """

    def __init__(self, thinking: bool, calls_in_pieces: bool = False) -> None:
        self._in_pieces = calls_in_pieces
        self._reader = CallReader()
        self._begun = False
        self._place = 0  # in all that was pushed, of what stands first in the buffer
        self._state: _State = "reasoning" if thinking else "content"
        self._buffer = ""
        self._call: list[str] = []
        self._space: str | None = None  # after a tool call: white space that is content only if more follows
        self._events: list[Event] = []

    def push(self, text: str) -> list[Event]:
        """The events that this piece completes."""
        self._buffer += text
        while self._state != "ended" and (tag := _PATTERNS[self._state].search(self._buffer)):
            before, self._buffer = self._buffer[: tag.start()], self._buffer[tag.end() :]
            self._text(before)
            self._tag(tag.group())
            self._place += tag.end()
        held = self._held()
        ready, self._buffer = self._buffer[: len(self._buffer) - held], self._buffer[len(self._buffer) - held :]
        self._text(ready)
        self._place += len(ready)
        return self._taken()

    def close(self) -> list[Event]:
        """The last events, when no text follows any more."""
        self._text(self._buffer)
        self._buffer = ""
        self._end()
        return self._taken()

    def _held(self) -> int:
        """Length of the buffer's end that may grow into a tag. Tags have their only "<" at the front."""
        start = self._buffer.rfind("<")
        if self._state == "ended" or start < 0:
            return 0
        tail = self._buffer[start:]
        return len(tail) if any(tag.startswith(tail) for tag in _TAGS[self._state]) else 0

    def _text(self, text: str) -> None:
        if not text or self._state == "ended":
            return
        if self._state == "reasoning":
            self._events.append(Reasoning(text))
        elif self._state == "call":
            self._call.append(text)
            if self._in_pieces:
                self._call_piece(text)
        else:
            self._content(text)

    def _call_piece(self, text: str) -> None:
        piece = self._reader.push(text)
        if self._reader.name is not None and not self._begun:
            self._begun = True
            self._events.append(CallBegin(json.loads(self._reader.name, strict=False)))
        if piece:
            self._events.append(CallArguments(piece))

    def _content(self, text: str) -> None:
        start = self._place
        if self._space is not None:
            start -= len(self._space)
            text = self._space + text
            self._space = text if text.isspace() else None
        if self._space is None:
            self._events.append(Content(text, start))

    def _tag(self, tag: str) -> None:
        if tag in _ENDS:
            self._end()
        elif self._state == "reasoning" and tag == END_THINK:
            self._state = "content"
        elif self._state == "content" and tag == TOOL_CALL:
            self._state = "call"
        elif self._state == "call":
            self._finish_call()
        else:
            self._events.append(Malformed(f"{tag} where it does not belong"))

    def _finish_call(self) -> None:
        call = _tool_call("".join(self._call))
        if not self._in_pieces or isinstance(call, Malformed):
            self._events.append(call)
        elif not self._begun:  # written in another order
            self._events += [CallBegin(call.name), CallArguments(json.dumps(call.arguments, ensure_ascii=False))]
        self._reader, self._begun = CallReader(), False
        self._call.clear()
        self._space = ""
        self._state = "content"

    def _end(self) -> None:
        if self._state == "reasoning":
            self._events.append(Malformed(f"the reasoning has no {END_THINK}"))
        elif self._state == "call":
            self._events.append(Malformed(f"a tool call has no {END_TOOL_CALL}: {''.join(self._call)}"))
        self._state = "ended"

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events


def _tool_call(text: str) -> ToolCall | Malformed:
    try:
        call = json.loads(text, parse_constant=_refuse)
        json.dumps(call, ensure_ascii=False).encode("utf-8")  # "\ud800" is JSON, but no text that could be rendered
    except (ValueError, RecursionError) as error:
        return Malformed(f"a tool call is not JSON ({error}): {text}")
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return Malformed(f"a tool call has no name: {text}")
    arguments = call.get("arguments")
    if not isinstance(arguments, dict):
        return Malformed(f"the arguments of a tool call are not an object: {text}")
    return ToolCall(call["name"], arguments)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
