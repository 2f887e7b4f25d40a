"""The events of an answer, made OpenAI's response and its stream: one builder for both, so that they are equal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from axk1.server.calls import (
    ChatCall,
    ContentPart,
    Event,
    Finished,
    FinishReason,
    ReasoningPart,
    TokenScore,
    ToolArguments,
    ToolCallBegin,
    Usage,
)
from axk1.server.errors import ApiError
from axk1.server.openai.usage import chat_logprobs
from axk1.server.responses.names import item_id
from axk1.server.responses.request import format_of, tools_of
from axk1.server.sse import DONE, frame

__all__ = ["Head", "Reply"]

_CUT: dict[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
_TEXTS = {"message": "output_text", "reasoning": "reasoning_text"}
_ECHOED = ("instructions", "max_output_tokens", "previous_response_id", "safety_identifier", "prompt_cache_key", "user")


@dataclass(frozen=True)
class Head:
    """What a response has from its beginning. `items` is how many its conversation has already, `created` in seconds
    since 1970."""

    id: str
    created: int
    body: Mapping[str, Any]
    call: ChatCall
    items: int

    def fields(self) -> dict[str, Any]:
        """All fields that the answer does not change."""
        body, sampling = self.body, self.call.sampling
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "completed_at": None,
            "status": "in_progress",
            "background": False,
            "error": None,
            "incomplete_details": None,
            "model": self.call.model,
            "output": [],
            "usage": None,
            **{name: body.get(name) for name in _ECHOED},
            "max_tool_calls": None,
            "metadata": body.get("metadata", {}),
            "parallel_tool_calls": self.call.tool_choice.parallel,
            "reasoning": {"effort": body.get("reasoning", {}).get("effort") or "none", "summary": None},
            "service_tier": "default",
            "store": body.get("store", True),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "presence_penalty": sampling.presence_penalty,
            "frequency_penalty": sampling.frequency_penalty,
            "top_logprobs": sampling.logprobs or 0,
            "text": {"format": format_of(body), "verbosity": "medium"},
            "tool_choice": body.get("tool_choice", "auto"),
            "tools": tools_of(body),
            "truncation": "disabled",
        }


class Reply:
    """Grows by events, each of which gives the frames to be sent. The last frames are `end`'s or `fail`'s."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._fields = head.fields()
        self._output: list[dict[str, Any]] = []
        self._pieces: list[str] = []  # of the open item
        self._scores: list[dict[str, Any]] = []  # of the open item
        self._open = ""  # the kind of the open item
        self._call = -1  # the index of the open call
        self._delta_head = b""
        self._cut: str | None = None
        self._number = 0  # of the next event

    def begin(self) -> bytes:
        """The first frames."""
        return self._lifecycle("response.created", self._fields) + self._lifecycle("response.in_progress", self._fields)

    def add(self, event: Event) -> Iterator[bytes]:
        """The frames of one event."""
        if isinstance(event, Finished):
            self._cut = _CUT.get(event.reason)
            yield from self._close("incomplete" if self._cut else "completed")
        elif isinstance(event, ReasoningPart):
            yield from self._piece("reasoning", event.text)
        elif isinstance(event, ContentPart):
            yield from self._piece("message", event.text, event.scores)
        elif isinstance(event, ToolCallBegin):
            yield from self._close("completed")
            self._call = event.index
            yield self._begin("function_call", {"call_id": event.id, "name": event.name, "arguments": ""})
        elif isinstance(event, ToolArguments):
            assert (self._open, self._call) == ("function_call", event.index)
            yield self._delta(event.text)

    def whole(self, usage: Usage, completed: int) -> dict[str, Any]:
        """The response when all events are in; `completed` is when that was, in seconds since 1970."""
        ended: dict[str, Any] = {"status": "incomplete", "incomplete_details": {"reason": self._cut}}
        if self._cut is None:
            ended = {"status": "completed", "completed_at": completed}
        return self._fields | ended | {"output": self._output, "usage": _usage(usage)}

    def end(self, whole: Mapping[str, Any]) -> bytes:
        """The last frames, with the response as it is kept."""
        return self._lifecycle(f"response.{whole['status']}", whole) + DONE

    def fail(self, error: ApiError, usage: Usage) -> bytes:
        """The last frames when there is no whole answer: what there is, and what went wrong. Nothing is kept."""
        closed = b"".join(self._close("incomplete"))
        told = error.openai()["error"]
        code = "rate_limit_exceeded" if error.status == 429 else "server_error"
        ended = {"status": "failed", "error": {"code": code, "message": error.message}, "store": False}
        whole = self._fields | ended | {"output": self._output, "usage": _usage(usage)}
        flat = {"code": error.code, "message": error.message, "param": error.param}
        first = closed + self._event("error", flat | {"error": told})
        return first + self._lifecycle("response.failed", whole) + DONE

    def _piece(self, kind: str, text: str, scores: tuple[TokenScore, ...] = ()) -> Iterator[bytes]:
        if not text and not scores:
            return
        if self._open != kind:
            yield from self._close("completed")
            yield self._begin(kind, _empty(kind))
            yield self._part("added", _part(kind, "", []))
        if not scores:
            yield self._delta(text)
            return
        self._pieces.append(text)
        made = chat_logprobs(scores)["content"]
        self._scores += made
        yield self._event("response.output_text.delta", self._place(kind) | {"delta": text, "logprobs": made})

    def _begin(self, kind: str, fields: dict[str, Any]) -> bytes:
        place = len(self._output)
        name = item_id(self._head.id, kind, self._head.items + place)
        item = {"id": name, "type": kind, "status": "in_progress"} | fields
        self._output.append(item)
        self._open, self._pieces, self._scores = kind, [], []
        begun = self._event("response.output_item.added", {"output_index": place, "item": item})
        delta = _event_name(kind) + ".delta"
        self._delta_head = (
            b"event: %b\ndata: " % delta.encode() + orjson.dumps({"type": delta} | self._place(kind))[:-1]
        )
        return begun

    def _delta(self, text: str) -> bytes:
        self._pieces.append(text)
        number, self._number = self._number, self._number + 1
        behind = b',"logprobs":[]}\n\n' if self._open == "message" else b"}\n\n"
        return b'%b,"sequence_number":%d,"delta":%b%b' % (self._delta_head, number, orjson.dumps(text), behind)

    def _close(self, status: str) -> Iterator[bytes]:
        if not self._open:
            return
        kind, item, text = self._open, self._output[-1], "".join(self._pieces)
        self._open = ""
        item["status"] = status
        done = _event_name(kind) + ".done"
        if kind == "function_call":
            item["arguments"] = text
            yield self._event(done, self._place(kind) | {"arguments": text})
        else:
            part = _part(kind, text, self._scores)
            item["content"] = [part]
            said = {name: part[name] for name in ("text", "logprobs") if name in part}
            yield self._event(done, self._place(kind) | said)
            yield self._part("done", part)
        yield self._event("response.output_item.done", {"output_index": len(self._output) - 1, "item": item})

    def _part(self, what: str, part: dict[str, Any]) -> bytes:
        return self._event(f"response.content_part.{what}", self._place(self._output[-1]["type"]) | {"part": part})

    def _place(self, kind: str) -> dict[str, Any]:
        """Where the last item is; what has content has one part of it."""
        place = {"item_id": self._output[-1]["id"], "output_index": len(self._output) - 1}
        return place if kind == "function_call" else place | {"content_index": 0}

    def _lifecycle(self, name: str, response: Mapping[str, Any]) -> bytes:
        return self._event(name, {"response": response})

    def _event(self, name: str, fields: Mapping[str, Any]) -> bytes:
        number, self._number = self._number, self._number + 1
        return frame({"type": name, "sequence_number": number} | dict(fields), name)


def _event_name(kind: str) -> str:
    return "response.function_call_arguments" if kind == "function_call" else f"response.{_TEXTS[kind]}"


def _empty(kind: str) -> dict[str, Any]:
    return {"role": "assistant", "content": []} if kind == "message" else {"summary": [], "content": []}


def _part(kind: str, text: str, scores: list[dict[str, Any]]) -> dict[str, Any]:
    part: dict[str, Any] = {"type": _TEXTS[kind], "text": text}
    return part | {"annotations": [], "logprobs": scores} if kind == "message" else part


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.completion,
    }
