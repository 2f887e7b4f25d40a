"""An answer in the form of /v1/chat/completions: whole, or chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from axk1.server.calls import (
    ContentPart,
    Event,
    Finished,
    PromptScores,
    ReasoningPart,
    TokenScore,
    ToolArguments,
    ToolCallBegin,
    Usage,
)
from axk1.server.openai.usage import chat_logprobs, prompt_logprobs, usage_of
from axk1.server.sse import frame

__all__ = ["ChatChunks", "ChatWhole", "Head"]


@dataclass(frozen=True)
class Head:
    """What all chunks of a reply have in common. `created` in seconds since 1970."""

    id: str
    created: int
    model: str


@dataclass
class _Choice:
    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    arguments: list[list[str]] = field(default_factory=list)
    scores: list[TokenScore] = field(default_factory=list)
    finish_reason: str = ""
    stop: str | int | None = None

    def add(self, event: Event) -> None:
        """A further piece."""
        if isinstance(event, ContentPart):
            self.content.append(event.text)
            self.scores += event.scores
        elif isinstance(event, ReasoningPart):
            self.reasoning.append(event.text)
        elif isinstance(event, ToolCallBegin):
            self.calls.append({"id": event.id, "type": "function", "function": {"name": event.name}})
            self.arguments.append([])
        elif isinstance(event, ToolArguments):
            self.arguments[event.index].append(event.text)
        elif isinstance(event, Finished):
            self.finish_reason, self.stop = event.reason, event.stop

    def message(self) -> dict[str, Any]:
        """The assistant's message: no content beside tool calls if there is none."""
        content = "".join(self.content)
        made: dict[str, Any] = {"role": "assistant", "content": content if content or not self.calls else None}
        made["refusal"] = None
        if self.reasoning:
            made["reasoning"] = made["reasoning_content"] = "".join(self.reasoning)
        for call, arguments in zip(self.calls, self.arguments, strict=True):
            call["function"]["arguments"] = "".join(arguments)
        if self.calls:
            made["tool_calls"] = self.calls
        return made


class ChatWhole:
    """Collects the events of an answer."""

    def __init__(self, head: Head, n: int, logprobs: bool) -> None:
        self._head, self._logprobs = head, logprobs
        self._choices = [_Choice() for _ in range(n)]
        self._prompt: list[dict[str, Any] | None] | None = None

    def add(self, event: Event) -> None:
        """One more event. The samples of a prompt read the same prompt: its scores are told once."""
        if isinstance(event, PromptScores):
            self._prompt = prompt_logprobs(event.scores)
        else:
            self._choices[event.choice].add(event)

    def reply(self, usage: Usage) -> dict[str, Any]:
        """The object `chat.completion`."""
        whole: dict[str, Any] = {
            "id": self._head.id,
            "object": "chat.completion",
            "created": self._head.created,
            "model": self._head.model,
            "choices": [self._choice(place, one) for place, one in enumerate(self._choices)],
            "usage": usage_of(usage),
        }
        return whole if self._prompt is None else whole | {"prompt_logprobs": self._prompt}

    def _choice(self, place: int, choice: _Choice) -> dict[str, Any]:
        made = {
            "index": place,
            "message": choice.message(),
            "logprobs": chat_logprobs(choice.scores) if self._logprobs else None,
            "finish_reason": choice.finish_reason,
        }
        return made if choice.stop is None else made | {"stop_reason": choice.stop}


class ChatChunks:
    """Makes the chunks of a stream. Text without log-probabilities, nearly all there is, is put between bytes that were
    made beforehand."""

    def __init__(self, head: Head, n: int, logprobs: bool, usage: bool, usage_in_all: bool) -> None:
        self._head, self._n, self._logprobs = head, n, logprobs
        self._usage, self._usage_in_all = usage, usage_in_all
        start = orjson.dumps(self._envelope([]))[: -len("[]}")]
        self._before = [b"data: " + start + b'[{"index":%d,"delta":{' % place for place in range(n)]
        self._behind = b'},"logprobs":null,"finish_reason":null}]' + (b',"usage":null' if usage else b"") + b"}\n\n"

    def begin(self) -> Iterator[bytes]:
        """The role, for each choice."""
        for place in range(self._n):
            yield self._chunk(place, {"role": "assistant", "content": ""}, Usage())

    def event(self, event: Event, usage: Usage) -> Iterator[bytes]:
        """The chunk of an event."""
        if isinstance(event, PromptScores):
            found = self._envelope([]) | {"prompt_logprobs": prompt_logprobs(event.scores)}
            yield frame(found | self._told(usage))
        elif isinstance(event, Finished):
            yield self._chunk(event.choice, {}, usage, finish_reason=event.reason, stop=event.stop)
        elif self._usage_in_all or (isinstance(event, ContentPart) and event.scores):
            scores = event.scores if isinstance(event, ContentPart) else ()
            yield self._chunk(event.choice, orjson.loads(b"{" + _delta(event) + b"}"), usage, scores)
        else:
            yield self._before[event.choice] + _delta(event) + self._behind

    def end(self, usage: Usage) -> Iterator[bytes]:
        """The usage, if it was asked for."""
        if self._usage:
            yield frame(self._envelope([]) | {"usage": usage_of(usage)})

    def _chunk(
        self,
        place: int,
        delta: dict[str, Any],
        usage: Usage,
        scores: tuple[TokenScore, ...] = (),
        finish_reason: str | None = None,
        stop: str | int | None = None,
    ) -> bytes:
        choice: dict[str, Any] = {
            "index": place,
            "delta": delta,
            "logprobs": chat_logprobs(scores) if scores else None,
            "finish_reason": finish_reason,
        }
        if stop is not None:
            choice["stop_reason"] = stop
        return frame(self._envelope([choice]) | self._told(usage))

    def _told(self, usage: Usage) -> dict[str, Any]:
        if self._usage_in_all:
            return {"usage": usage_of(usage)}
        return {"usage": None} if self._usage else {}

    def _envelope(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        head = self._head
        return {
            "id": head.id,
            "object": "chat.completion.chunk",
            "created": head.created,
            "model": head.model,
            "choices": choices,
        }


def _delta(event: Event) -> bytes:
    """The inside of the object `delta`."""
    if isinstance(event, ContentPart):
        return b'"content":' + orjson.dumps(event.text)
    if isinstance(event, ReasoningPart):
        text = orjson.dumps(event.text)
        return b'"reasoning":' + text + b',"reasoning_content":' + text
    if isinstance(event, ToolCallBegin):
        function = {"name": event.name, "arguments": ""}
        call = {"index": event.index, "id": event.id, "type": "function", "function": function}
        return b'"tool_calls":' + orjson.dumps([call])
    assert isinstance(event, ToolArguments)
    return b'"tool_calls":' + orjson.dumps([{"index": event.index, "function": {"arguments": event.text}}])
