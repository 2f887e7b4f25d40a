"""The events of an answer, made Anthropic's message and its stream: one builder for both, so that they are equal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from pydantic_core import from_json

from axk1.server.anthropic.conversation import signature_of
from axk1.server.calls import ContentPart, Event, Finished, ReasoningPart, ToolArguments, ToolCallBegin, Usage
from axk1.server.sse import frame

__all__ = ["QUIET", "Reply"]

QUIET = frame({"type": "ping"}, "ping")
_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}


class Reply:
    """Grows by events, each of which gives the frames to be sent; `message` is the whole when all are in."""

    def __init__(self, message_id: str, model: str) -> None:
        self._id, self._model = message_id, model
        self._content: list[dict[str, Any]] = []
        self._pieces: list[str] = []  # of the open block
        self._open = ""
        self._call = -1  # the index of the open call
        self._head = b""
        self._reason: str | None = None
        self._stop: str | None = None

    def begin(self, usage: Usage) -> bytes:
        """The first frames."""
        start = {"type": "message_start", "message": self.message(Usage(usage.prompt, 0, 0, usage.cached))}
        return frame(start, "message_start") + QUIET

    def add(self, event: Event) -> Iterator[bytes]:
        """The frames of one event."""
        if isinstance(event, Finished):
            yield from self._close()
            self._reason, self._stop = _REASONS[event.reason], None
            if event.reason == "stop" and isinstance(event.stop, str):
                self._reason, self._stop = "stop_sequence", event.stop
        elif isinstance(event, ReasoningPart):
            yield from self._piece("thinking", event.text)
        elif isinstance(event, ContentPart):
            yield from self._piece("text", event.text)
        elif isinstance(event, ToolCallBegin):
            yield from self._close()
            self._call = event.index
            yield self._begin("tool_use", {"type": "tool_use", "id": event.id, "name": event.name, "input": {}})
        elif isinstance(event, ToolArguments):
            assert (self._open, self._call) == ("tool_use", event.index)
            yield self._delta(event.text)

    def end(self, usage: Usage) -> bytes:
        """The last frames."""
        told = frame({"type": "message_delta", "delta": self._ending(), "usage": _counts(usage)}, "message_delta")
        return told + frame({"type": "message_stop"}, "message_stop")

    def message(self, usage: Usage) -> dict[str, Any]:
        """The message as far as it is."""
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": self._content,
            **self._ending(),
            "usage": _counts(usage) | _TERMS,
        }

    def _ending(self) -> dict[str, Any]:
        refused = {"type": "refusal", "category": None, "explanation": None} if self._reason == "refusal" else None
        ending = {"stop_reason": self._reason, "stop_sequence": self._stop, "stop_details": refused}
        return ending | {"container": None}

    def _piece(self, kind: str, text: str) -> Iterator[bytes]:
        if not text:
            return
        if self._open != kind:
            yield from self._close()
            empty: dict[str, Any] = (
                {"text": "", "citations": None} if kind == "text" else {"thinking": "", "signature": ""}
            )
            yield self._begin(kind, {"type": kind} | empty)
        yield self._delta(text)

    def _begin(self, kind: str, block: dict[str, Any]) -> bytes:
        index = len(self._content)
        self._open, self._pieces = kind, []
        delta, name = _DELTAS[kind]
        told = f'{{"type":"content_block_delta","index":{index},"delta":{{"type":"{delta}","{name}":'
        self._head = b"event: content_block_delta\ndata: " + told.encode()
        start = frame({"type": "content_block_start", "index": index, "content_block": block}, "content_block_start")
        self._content.append(dict(block))
        return start

    def _delta(self, text: str) -> bytes:
        self._pieces.append(text)
        return self._head + orjson.dumps(text) + b"}}\n\n"

    def _close(self) -> Iterator[bytes]:
        if not self._open:
            return
        block, whole, index = self._content[-1], "".join(self._pieces), len(self._content) - 1
        if self._open == "tool_use":
            # cut off by max_tokens: as far as it goes, which is what clients make of the stream
            block["input"] = from_json(whole or "{}", allow_partial=True)
        else:
            block[self._open] = whole
        if self._open == "thinking":
            block["signature"] = signature_of(whole)
            delta = {"type": "signature_delta", "signature": block["signature"]}
            yield frame({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta")
        yield frame({"type": "content_block_stop", "index": index}, "content_block_stop")
        self._open = ""


_TERMS = {"cache_creation": None, "inference_geo": None, "service_tier": "standard", "speed": "standard"}


def _counts(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt - usage.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.completion,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
        "server_tool_use": None,
    }
