"""What an upstream replies, chunk by chunk or whole, as our events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from axk1.server.calls import (
    ChatCall,
    ContentPart,
    Event,
    Finished,
    FinishReason,
    PromptScores,
    ReasoningPart,
    TextCall,
    Tokens,
    TokenScore,
)
from axk1.server.errors import ApiError, upstream_failed
from axk1.server.upstream.meter import Meter
from axk1.server.upstream.scores import chat_scores, placed, prompt_scores, text_scores
from axk1.server.upstream.tool_deltas import ToolDeltas
from axk1.server.upstream.wholeness import Whole

__all__ = ["ReplyReader"]

_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class ReplyReader:
    """The choices of one call. ApiError (502) for what is no reply of the API.

    `prompts` are the tokens of the prompts, where their scores were asked for.
    """

    def __init__(self, call: ChatCall | TextCall, meter: Meter, name: str, prompts: Sequence[Tokens] = ()) -> None:
        self._call, self._meter, self._name, self._prompts = call, meter, name, prompts
        count = call.n * (1 if isinstance(call, ChatCall) else len(call.prompts))
        self._choices = [_Choice(place, call) for place in range(count)]

    @property
    def complete(self) -> bool:
        """Whether every choice has ended."""
        return all(choice.finished for choice in self._choices)

    def read(self, chunk: Mapping[str, Any]) -> list[Event]:
        """The events of a chunk, or of a whole reply."""
        try:
            events = list(self._events(chunk))
        except ApiError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
            raise self._strange() from error
        return events

    def _events(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        if chunk.get("prompt_logprobs") is not None:
            for place in range(len(self._choices)):
                yield self._prompt_scores(place, chunk["prompt_logprobs"])
        for given in chunk.get("choices") or ():
            place = given.get("index") or 0
            if given.get("prompt_logprobs") is not None:
                yield self._prompt_scores(place, given["prompt_logprobs"])
            choice = self._choices[place]
            for event in choice.events(given):
                if not isinstance(event, Finished):
                    self._meter.piece(isinstance(event, ReasoningPart))
                yield event
        if chunk.get("usage"):
            self._meter.tell(chunk["usage"])

    def _prompt_scores(self, place: int, places: Sequence[Mapping[str, Any] | None]) -> PromptScores:
        most = self._call.sampling.prompt_logprobs
        assert most is not None
        return PromptScores(place, prompt_scores(places, self._prompts[place // self._call.n], most))

    def _strange(self) -> ApiError:
        return upstream_failed(f"the upstream {self._name!r} sent a reply that is not of the OpenAI API")


class _Choice:
    """One choice."""

    def __init__(self, place: int, call: ChatCall | TextCall) -> None:
        self._place, self._call = place, call
        self._content, self._reasoning = Whole(), Whole()
        parallel = not isinstance(call, ChatCall) or call.tool_choice.parallel
        self._calls = ToolDeltas(place, parallel)
        self._answering = not isinstance(call, ChatCall) or not call.thinking.enabled
        self.finished = False

    def events(self, given: Mapping[str, Any]) -> Iterator[Event]:
        """The events of one entry of `choices`."""
        delta = given.get("delta") or given.get("message") or {"content": given.get("text")}
        if self.finished:
            if any(delta.get(name) for name in ("content", "reasoning", "reasoning_content", "tool_calls")):
                raise ValueError("text behind the end")
            return
        yield from self._parts(delta, given.get("logprobs"))
        if given.get("finish_reason") is not None:
            yield self._end(given)

    def _parts(self, delta: Mapping[str, Any], logprobs: object) -> Iterator[Event]:
        if isinstance(self._call, TextCall) and not self._call.generate:
            return
        reasoning = self._reasoning.push(delta.get("reasoning") or delta.get("reasoning_content") or "")
        if reasoning:
            yield ReasoningPart(self._place, reasoning)
        content = self._content.push(delta.get("content") or "")
        calls = delta.get("tool_calls") or ()
        self._answering = self._answering or bool(content)
        alone = not reasoning and not calls
        scores = self._scores(logprobs, content) if self._answering and (content or alone) else ()
        if content or scores:
            yield ContentPart(self._place, content, scores)
        yield from self._calls.push(calls)

    def _scores(self, logprobs: object, content: str) -> tuple[TokenScore, ...]:
        if self._call.sampling.logprobs is None:
            return ()
        scores = chat_scores(logprobs) if isinstance(self._call, ChatCall) else text_scores(logprobs)
        return placed(scores, content) if content else scores

    def _end(self, given: Mapping[str, Any]) -> Finished:
        self.finished = True
        if self._calls.unnamed:
            raise ValueError("a tool call without a name")
        reason = _REASONS[given["finish_reason"]]
        if self._calls.told and reason == "stop":
            reason = "tool_calls"
        return Finished(self._place, reason, self._stop(given))

    def _stop(self, given: Mapping[str, Any]) -> str | int | None:
        """vLLM's and our name, else SGLang's, which also names the model's own end."""
        found = given.get("stop_reason", given.get("matched_stop"))
        sampling = self._call.sampling
        if isinstance(found, int) and not isinstance(found, bool):
            return found if found in sampling.stop_token_ids else None
        return found if isinstance(found, str) and found in sampling.stop else None
