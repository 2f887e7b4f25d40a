"""What the loop works on: a prompt to be continued, or a text to be read for its logits or hidden states.

Shape letters: T tokens of a text, V vocabulary, D hidden size, X = V or D, R rows of one step.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from axk1.chat.sampling import SamplingParams
from axk1.engine import scheduler
from axk1.engine.output import Delta
from axk1.engine.sampler import Logprob, adjusted, logprobs, sample, uniform
from axk1.engine.stop import FinishReason, TextStream

__all__ = ["Completion", "Item", "Job", "Reading", "Structure", "Wants"]

Floats = NDArray[np.float32]
Wants = Literal["logits", "hidden"]
Item = Delta | Floats | Exception
"""What a job delivers: deltas, or one array; an exception ends either."""

_ALL = sys.maxsize


class Job(Protocol):
    """The loop asks it for the positions it wants, gives it their rows and stops when it has ended."""

    sequence: scheduler.Sequence
    wants: Wants
    ended: bool

    def wanted(self, piece: scheduler.Slice) -> list[int]:
        """The positions of the slice whose rows are needed, ascending."""
        ...

    @property
    def room(self) -> int:
        """How many tokens it may still get, at most."""
        ...

    def receive(self, rows_RX: Floats, draft: Sequence[int]) -> None:
        """The rows of the wanted positions, the last ones behind the tokens of a draft; may append to the sequence as
        many of these tokens as are right and one more, may set `ended`."""
        ...

    def cancel(self) -> None:
        """Ends it before its time."""
        ...

    def fail(self, error: Exception) -> None:
        """Ends it with an error, which rises in whoever waits for it."""
        ...


class Structure(Protocol):
    """What keeps a completion in a form (`structure`): which tokens may come next (None: all), until it has ended."""

    @property
    def ended(self) -> bool: ...
    def allowed(self) -> NDArray[np.bool_] | None: ...
    def accept(self, token: int) -> None: ...


@dataclass(eq=False)
class Completion:
    """A prompt and how to continue it. Delivers a Delta for each token. Ends at a token of `eos`, or at `context`
    tokens altogether, if not before."""

    prompt: Sequence[int]
    params: SamplingParams
    seed: int
    text: TextStream
    structure: Structure | None
    eos: frozenset[int]
    context: int
    deliver: Callable[[Item], None]
    wants: Wants = "logits"
    ended: bool = False
    prompt_logprobs: list[Mapping[int, Logprob] | None] | None = None
    sequence: scheduler.Sequence = field(init=False)

    def __post_init__(self) -> None:
        scores = self.params.prompt_logprobs is not None
        self.prompt_logprobs = [None] if scores else None
        self.sequence = scheduler.Sequence(list(self.prompt), reusable=0 if scores else _ALL)

    @property
    def tokens(self) -> list[int]:
        """The completion so far."""
        return self.sequence.tokens[len(self.prompt) :]

    @property
    def room(self) -> int:
        """Tokens up to `max_tokens` and to the end of the context."""
        length = len(self.sequence.tokens)
        limit = _ALL if self.params.max_tokens is None else self.params.max_tokens
        return min(limit + len(self.prompt), self.context) - length

    def wanted(self, piece: scheduler.Slice) -> list[int]:
        """The last position of the sequence and those of a draft, and those of the prompt that are to be scored."""
        last = len(self.sequence.tokens) - 1
        scored = [] if self.prompt_logprobs is None else range(len(self.prompt_logprobs) - 1, len(self.prompt) - 1)
        places = range(piece.start, piece.end + len(piece.draft))
        return [one for one in places if one >= last or one in scored]

    def receive(self, rows_RX: Floats, draft: Sequence[int] = ()) -> None:
        """Scores the prompt's tokens with the first rows and chooses the next token by the one after. The rows behind
        it choose further ones, as long as what was chosen is what the draft had put there."""
        rows = list(rows_RX)
        while rows and self.prompt_logprobs is not None and len(self.prompt_logprobs) < len(self.prompt):
            assert self.params.prompt_logprobs is not None
            token = self.prompt[len(self.prompt_logprobs)]
            self.prompt_logprobs.append(logprobs(rows.pop(0), token, self.params.prompt_logprobs))
            whole = len(self.prompt_logprobs) == len(self.prompt)
            self.sequence.reusable = _ALL if whole else len(self.prompt_logprobs) - 1
        self.sequence.drafted += len(draft)
        for place, logits_V in enumerate(rows):
            self.sequence.accepted += place > 0
            self._continue(logits_V)
            if self.ended or place == len(draft) or self.sequence.tokens[-1] != draft[place]:
                break

    def cancel(self) -> None:
        """Its reader, if any, sees the finish reason "cancelled"."""
        self.ended = True
        self.deliver(Delta(finish_reason="cancelled"))

    def fail(self, error: Exception) -> None:
        """Its reader gets the error."""
        self.ended = True
        self.deliver(error)

    def _continue(self, logits_V: Floats) -> None:
        params, step = self.params, len(self.sequence.tokens) - len(self.prompt)
        completion = self.tokens if params.penalised else ()  # a long one is not copied at every step for nothing
        allowed_V = None if self.structure is None else self.structure.allowed()
        number = 0.0 if params.greedy else uniform(self.seed, step)
        token = sample(adjusted(logits_V, params, self.prompt, completion, allowed_V), params, number)
        if self.structure is not None:
            self.structure.accept(token)
        self.sequence.tokens.append(token)
        reported = None if params.logprobs is None else (logprobs(logits_V, token, params.logprobs),)
        self._deliver(token, reported)

    def _deliver(self, token: int, reported: tuple[Mapping[int, Logprob], ...] | None) -> None:
        by_token = token in self.params.stop_token_ids or (token in self.eos and not self.params.ignore_eos)
        text = "" if by_token else self.text.push(token)
        reason = self._reason(by_token)
        if reason is not None:
            text += self.text.flush()
            # what had been held back may hold a stop text
            reason = "stop" if self.text.found is not None else reason
            self.ended = True
        named = token if token in self.params.stop_token_ids else self.text.found
        self.deliver(Delta(text, (token,), reported, reason, named))

    def _reason(self, by_token: bool) -> FinishReason | None:
        if by_token or self.text.found is not None or (self.structure is not None and self.structure.ended):
            return "stop"
        length = len(self.sequence.tokens)
        full = length >= self.context or length - len(self.prompt) == self.params.max_tokens
        return "length" if full else None


@dataclass(eq=False)
class Reading:
    """A text whose rows are all wanted. Delivers one float32 array [T, X]."""

    tokens: Sequence[int]
    wants: Wants
    deliver: Callable[[Item], None]
    ended: bool = False
    rows: list[Floats] = field(default_factory=list)
    sequence: scheduler.Sequence = field(init=False)

    def __post_init__(self) -> None:
        self.sequence = scheduler.Sequence(list(self.tokens), reusable=0)

    @property
    def room(self) -> int:
        """None: a text that is read does not grow."""
        return 0

    def wanted(self, piece: scheduler.Slice) -> list[int]:
        """All that it has not yet."""
        return list(range(max(piece.start, self.sequence.reusable), piece.end))

    def receive(self, rows_RX: Floats, _draft: Sequence[int] = ()) -> None:
        """Keeps the rows; the last ones end it."""
        self.rows.append(rows_RX)
        self.sequence.reusable += len(rows_RX)
        if self.sequence.reusable == len(self.tokens):
            self.ended = True
            self.deliver(np.concatenate(self.rows))

    def cancel(self) -> None:
        """Its reader gets an error: there is no part of an answer."""
        self.fail(ValueError("cancelled: the engine was closed"))

    def fail(self, error: Exception) -> None:
        """Its reader gets the error."""
        self.ended = True
        self.deliver(error)
