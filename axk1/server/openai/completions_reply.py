"""An answer in the form of /v1/completions: whole, or chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from axk1.server.calls import ContentPart, Event, Finished, PromptScores, TokenScore, Usage
from axk1.server.openai.chat_reply import Head
from axk1.server.openai.usage import prompt_logprobs, usage_of
from axk1.server.sse import frame

__all__ = ["TextChunks", "TextWhole", "legacy_logprobs"]


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


class TextChunks:
    """Makes the chunks of a stream."""

    def __init__(self, head: Head, echo: Sequence[str], echoed: bool, top: int | None, usage: bool) -> None:
        self._head, self._echo, self._echoed = head, list(echo), echoed
        self._top, self._usage = top, usage
        self._lengths = [0] * len(self._echo)

    def begin(self) -> Iterator[bytes]:
        """The prompts, unless their log-probabilities come with them."""
        if self._echoed and self._top is None:
            for place, text in enumerate(self._echo):
                yield self._chunk(place, text, ())

    def event(self, event: Event) -> Iterator[bytes]:
        """The chunk of an event."""
        if isinstance(event, PromptScores):
            if self._echoed and self._top is not None:
                yield self._chunk(event.choice, self._echo[event.choice], event.scores)
        elif isinstance(event, ContentPart):
            yield self._chunk(event.choice, event.text, event.scores)
        elif isinstance(event, Finished):
            yield self._chunk(event.choice, "", (), event)

    def end(self, usage: Usage) -> Iterator[bytes]:
        """The usage, if it was asked for."""
        if self._usage:
            yield frame(_envelope(self._head, []) | {"usage": usage_of(usage)})

    def _chunk(self, place: int, text: str, scores: Iterable[TokenScore], end: Finished | None = None) -> bytes:
        found = tuple(scores)
        logprobs = legacy_logprobs(found, self._lengths[place], self._top) if found and self._top is not None else None
        self._lengths[place] += len(text)
        choice: dict[str, Any] = {
            "index": place,
            "text": text,
            "logprobs": logprobs,
            "finish_reason": None if end is None else end.reason,
        }
        if end is not None and end.stop is not None:
            choice["stop_reason"] = end.stop
        return frame(_envelope(self._head, [choice]) | ({"usage": None} if self._usage else {}))


def _envelope(head: Head, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": head.id,
        "object": "text_completion",
        "created": head.created,
        "model": head.model,
        "choices": choices,
    }
