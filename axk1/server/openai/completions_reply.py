"""An answer in the form of /v1/completions: whole, or chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from axk1.server.calls import ContentPart, Event, Finished, PromptScores, TokenScore, Usage
from axk1.server.openai.chat_reply import Head
from axk1.server.openai.usage import prompt_logprobs, usage_of
from axk1.server.sse import frame

__all__ = ["TextChunks", "TextWhole", "Told", "legacy_logprobs"]


def legacy_logprobs(scores: Sequence[TokenScore], start: int, top: int) -> dict[str, Any]:
    """Token by token; `text_offset` counts characters from the beginning of the reply's text, where `start` is the
    first one's. `bytes` are ours beside OpenAI's fields: joined they are the text."""
    offsets, place = [], b""
    for one in scores:
        offsets.append(start + len(place.decode("utf-8", "ignore")))
        place += one.data
    return {
        "tokens": [one.token for one in scores],
        "token_logprobs": [one.logprob for one in scores],
        "top_logprobs": [_top(one) if top else None for one in scores] if top else None,
        "text_offset": offsets,
        "bytes": [list(one.data) for one in scores],
    }


def _top(one: TokenScore) -> dict[str, float | None] | None:
    """The likeliest and the token itself; none for the first token of a prompt."""
    if one.logprob is None:
        return None
    return {score.token: score.logprob for score in (one, *reversed(one.top))}


class _Text:
    """One choice."""

    def __init__(self, echo: str) -> None:
        self.text = echo
        self.scores: list[TokenScore] = []
        self.prompt: list[dict[str, Any] | None] | None = None
        self.finish_reason = ""
        self.stop: str | int | None = None


class TextWhole:
    """Collects the events. `echo` has the text of each choice's prompt, "" where it is not wanted; `top` None: without
    log-probabilities."""

    def __init__(self, head: Head, echo: Sequence[str], echoed: bool, top: int | None, prompt_scores: bool) -> None:
        self._head, self._top, self._echoed, self._prompt_scores = head, top, echoed, prompt_scores
        self._choices = [_Text(one) for one in echo]

    def add(self, event: Event) -> None:
        """One more event."""
        choice = self._choices[event.choice]
        if isinstance(event, ContentPart):
            choice.text += event.text
            choice.scores += event.scores
        elif isinstance(event, PromptScores):
            choice.prompt = prompt_logprobs(event.scores)
            if self._echoed:
                choice.scores += event.scores
        elif isinstance(event, Finished):
            choice.finish_reason, choice.stop = event.reason, event.stop

    def reply(self, usage: Usage) -> dict[str, Any]:
        """The object `text_completion`."""
        choices = [self._choice(place, one) for place, one in enumerate(self._choices)]
        return _envelope(self._head, choices) | {"usage": usage_of(usage)}

    def _choice(self, place: int, choice: _Text) -> dict[str, Any]:
        scored = None if self._top is None else legacy_logprobs(choice.scores, 0, self._top)
        made = {"index": place, "text": choice.text, "logprobs": scored, "finish_reason": choice.finish_reason}
        if choice.stop is not None:
            made["stop_reason"] = choice.stop
        if self._prompt_scores:
            made["prompt_logprobs"] = choice.prompt
        return made


@dataclass(frozen=True)
class Told:
    """What a stream tells beside the text: vLLM's scores of the prompt, the usage at the end, or in every chunk."""

    prompt_scores: bool = False
    usage: bool = False
    usage_in_all: bool = False


class TextChunks:
    """Makes the chunks of a stream."""

    def __init__(self, head: Head, echo: Sequence[str], echoed: bool, top: int | None, told: Told) -> None:
        self._head, self._echo, self._echoed = head, list(echo), echoed
        self._top, self._told = top, told
        self._lengths = [0] * len(self._echo)

    def begin(self) -> Iterator[bytes]:
        """The prompts, unless their log-probabilities come with them."""
        if self._echoed and self._top is None:
            for place, text in enumerate(self._echo):
                yield self._chunk(place, text, Usage())

    def event(self, event: Event, usage: Usage) -> Iterator[bytes]:
        """The chunk of an event."""
        if isinstance(event, PromptScores):
            echoed = self._echoed and self._top is not None
            more = {"prompt_logprobs": prompt_logprobs(event.scores)} if self._told.prompt_scores else {}
            if echoed:
                yield self._chunk(event.choice, self._echo[event.choice], usage, event.scores, more)
            elif more:
                yield self._chunk(event.choice, "", usage, more=more)
        elif isinstance(event, ContentPart):
            yield self._chunk(event.choice, event.text, usage, event.scores)
        elif isinstance(event, Finished):
            end = {"finish_reason": event.reason} | ({} if event.stop is None else {"stop_reason": event.stop})
            yield self._chunk(event.choice, "", usage, more=end)

    def end(self, usage: Usage) -> Iterator[bytes]:
        """The usage, if it was asked for."""
        if self._told.usage or self._told.usage_in_all:
            yield frame(_envelope(self._head, []) | {"usage": usage_of(usage)})

    def _chunk(
        self,
        place: int,
        text: str,
        usage: Usage,
        scores: Sequence[TokenScore] = (),
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> bytes:
        logprobs = (
            legacy_logprobs(scores, self._lengths[place], self._top) if scores and self._top is not None else None
        )
        self._lengths[place] += len(text)
        choice = {"index": place, "text": text, "logprobs": logprobs, "finish_reason": None} | dict(more)
        told: dict[str, Any] = {"usage": None} if self._told.usage else {}
        if self._told.usage_in_all:
            told = {"usage": usage_of(usage)}
        return frame(_envelope(self._head, [choice]) | told)


def _envelope(head: Head, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": head.id,
        "object": "text_completion",
        "created": head.created,
        "model": head.model,
        "choices": choices,
    }
