"""One completion of a conversation, from the engine's deltas to the events of the API."""

from __future__ import annotations

import secrets
from collections.abc import Container, Iterable, Sequence

from axk1.chat.parser import CallArguments, CallBegin, Content, Reasoning, StreamParser
from axk1.chat.parser import Event as Parsed
from axk1.engine.output import Delta
from axk1.server.calls import (
    ContentPart,
    Event,
    Finished,
    FinishReason,
    ReasoningPart,
    TokenScore,
    ToolArguments,
    ToolCallBegin,
)
from axk1.server.engine.scores import Scorer
from axk1.tokenizer.special import END_THINK
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["ChatChoice", "TextChoice", "UnchangedChoice"]


class ChatChoice:
    """Deltas in, events out. `reasoning` counts the tokens before the end of the reasoning, `completion` all tokens.

    `tools` are the names that may be called, `own_ends` the stop tokens that are the model's, not the caller's:
    no answer names them.
    """

    def __init__(
        self,
        number: int,
        tokenizer: Tokenizer,
        thinking: bool,
        logprobs: int | None,
        tools: Container[str],
        own_ends: Container[int | str | None] = (),
    ) -> None:
        self._own_ends = own_ends
        self.completion = self.reasoning = 0
        self._number = number
        self._parser = StreamParser(thinking, calls_in_pieces=True)
        self._thinking = thinking
        self._end_of_thinking = tokenizer.named_ids.get(END_THINK)
        self._scorer = None if logprobs is None else Scorer(tokenizer, logprobs)
        self._raw, self._raw_start = "", 0  # text not scored yet, and its place in all text
        self._tools = tools
        self._calls = -1
        self._calling = False

    def events(self, deltas: Sequence[Delta]) -> list[Event]:
        """What these deltas say, pieces of one kind joined."""
        text = ""
        for delta in deltas:
            self._count(delta)
            text += delta.text
            if self._scorer is not None:
                self._scorer.push(delta)
                self._raw += delta.text
        last = deltas[-1] if deltas else None
        parsed = self._parser.push(text) if text else []
        if last is None or last.finish_reason is None:
            return self._made(parsed)
        made = self._made([*parsed, *self._parser.close()])
        if self._scorer is not None and (rest := tuple(self._scorer.rest())):
            made.append(ContentPart(self._number, "", rest))
        stop = None if last.stop_reason in self._own_ends else last.stop_reason
        return [*made, Finished(self._number, self._reason(last), stop)]

    def _count(self, delta: Delta) -> None:
        self.completion += len(delta.token_ids)
        if not self._thinking:
            return
        for place, token in enumerate(delta.token_ids):
            if token == self._end_of_thinking:
                self._thinking = False
                self.reasoning += place
                return
        self.reasoning += len(delta.token_ids)

    def _reason(self, last: Delta) -> FinishReason:
        if last.finish_reason == "length":
            return "length"
        return "tool_calls" if self._calls >= 0 else "stop"

    def _made(self, parsed: Iterable[Parsed]) -> list[Event]:
        made: list[Event] = []
        for event in parsed:
            _append(made, self._one(event))
        return made

    def _one(self, event: Parsed) -> Event | None:
        """What broke the format is left out, and so are calls of tools that were not offered."""
        if isinstance(event, Content):
            return ContentPart(self._number, event.text, self._scores(event))
        if isinstance(event, Reasoning):
            return ReasoningPart(self._number, event.text)
        if isinstance(event, CallBegin):
            self._calling = event.name in self._tools
            if self._calling:
                self._calls += 1
                return ToolCallBegin(self._number, self._calls, f"call_{secrets.token_hex(12)}", event.name)
        if isinstance(event, CallArguments) and self._calling:
            return ToolArguments(self._number, self._calls, event.text)
        return None

    def _scores(self, event: Content) -> tuple[TokenScore, ...]:
        if self._scorer is None:
            return ()
        before = event.start - self._raw_start
        skipped, self._raw = self._raw[:before], self._raw[before + len(event.text) :]
        self._raw_start = event.start + len(event.text)
        ended = self._scorer.take(len(skipped.encode("utf-8")), shown=False)  # what began in an earlier piece
        return (*ended, *self._scorer.take(len(event.text.encode("utf-8")), shown=True))


class TextChoice:
    """One continued text."""

    def __init__(self, number: int, tokenizer: Tokenizer, logprobs: int | None) -> None:
        self.completion = self.reasoning = 0
        self._number = number
        self._scorer = None if logprobs is None else Scorer(tokenizer, logprobs, every=True)

    def events(self, deltas: Sequence[Delta]) -> list[Event]:
        """What these deltas say, joined."""
        text, scores = "", list[TokenScore]()
        for delta in deltas:
            self.completion += len(delta.token_ids)
            text += delta.text
            if self._scorer is not None:
                self._scorer.push(delta)
                scores += self._scorer.take(len(delta.text.encode("utf-8")), shown=True)
        last = deltas[-1] if deltas else None
        done = last is not None and last.finish_reason is not None
        if done and self._scorer is not None:
            scores += self._scorer.rest()
        made: list[Event] = [ContentPart(self._number, text, tuple(scores))] if text or scores else []
        if last is not None and last.finish_reason is not None:
            reason: FinishReason = "length" if last.finish_reason == "length" else "stop"
            made.append(Finished(self._number, reason, last.stop_reason))
        return made


class UnchangedChoice:
    """A prompt that was only read: what the engine added to it is dropped."""

    def __init__(self, number: int) -> None:
        self.completion = self.reasoning = 0
        self._number = number

    def events(self, deltas: Sequence[Delta]) -> list[Event]:
        """The end, when it comes."""
        return [Finished(self._number, "length")] if deltas and deltas[-1].finish_reason is not None else []


def _append(made: list[Event], event: Event | None) -> None:
    """Joined to the last one where it goes on with it."""
    last = made[-1] if made else None
    if isinstance(event, ContentPart) and isinstance(last, ContentPart):
        made[-1] = ContentPart(event.choice, last.text + event.text, last.scores + event.scores)
    elif isinstance(event, ReasoningPart) and isinstance(last, ReasoningPart):
        made[-1] = ReasoningPart(event.choice, last.text + event.text)
    elif isinstance(event, ToolArguments) and isinstance(last, ToolArguments) and event.index == last.index:
        made[-1] = ToolArguments(event.choice, event.index, last.text + event.text)
    elif event is not None:
        made.append(event)
