"""The form of a completion: reasoning up to a budget, then an answer in a form of its own; tool calls in free text.

Shape letter: V vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axk1.chat.sampling import COMPACT_JSON, Calls
from axk1.engine.job import Structure

__all__ = ["AfterThinking", "CallsInText", "laid_out"]

Allowed = NDArray[np.bool_]


class AfterThinking:
    """Free reasoning, at most `budget` tokens before the token `end`; behind it the answer's form begins. There always
    is an answer: of `eos` none comes before."""

    def __init__(
        self, end: int, budget: int | None, answer: Structure | None, eos: Iterable[int], vocabulary: int
    ) -> None:
        self._end, self._left, self._answer = end, budget, answer
        self._only_end_V = _only(end, vocabulary)
        self._no_eos_V = np.ones(vocabulary, np.bool_)
        self._no_eos_V[list(eos)] = False
        self._thinking = True

    @property
    def ended(self) -> bool:
        """Whether the answer is whole and nothing can follow."""
        return not self._thinking and self._answer is not None and self._answer.ended

    def allowed(self) -> Allowed | None:
        """True for the tokens that may come next, bool [V]; None for all."""
        if self._thinking:
            return self._only_end_V if self._left == 0 else self._no_eos_V
        return None if self._answer is None else self._answer.allowed()

    def accept(self, token: int) -> None:
        """The token that was chosen, one of the allowed."""
        if not self._thinking:
            if self._answer is not None:
                self._answer.accept(token)
        elif token == self._end:
            self._thinking = False
        elif self._left is not None:
            self._left -= 1


class CallsInText:
    """Free text until the token that begins a call; the call follows its grammar, then the text is free again.

    `begin` makes what follows one call; None: no call may begin.
    """

    def __init__(self, calls: Calls, begin: Callable[[], Structure] | None, vocabulary: int) -> None:
        self._calls, self._begin = calls, begin
        self._no_call_V = ~_only(calls.begin, vocabulary)
        self._call: Structure | None = None
        self._count = 0

    @property
    def ended(self) -> bool:
        """Whether there are as many calls as there may be."""
        return self._count == self._calls.most

    def allowed(self) -> Allowed | None:
        """True for the tokens that may come next, bool [V]; None for all."""
        if self._call is not None:
            return self._call.allowed()
        return self._no_call_V if self._begin is None else None

    def accept(self, token: int) -> None:
        """The token that was chosen, one of the allowed."""
        if self._call is not None:
            self._call.accept(token)
            if self._call.ended:
                self._call = None
                self._count += 1
        elif token == self._calls.begin and self._begin is not None:
            self._call = self._begin()


def laid_out(schema: str | Mapping[str, Any]) -> str:
    """A JSON schema as text that also says how its JSON is laid out, unless it does so already. ValueError for one that
    is nested too deeply."""
    try:
        value = json.loads(schema) if isinstance(schema, str) else schema
        return json.dumps({"x-guidance": dict(COMPACT_JSON), **value} if isinstance(value, Mapping) else value)
    except RecursionError as error:
        raise ValueError("the JSON schema is nested too deeply: make it flatter") from error


def _only(token: int, vocabulary: int) -> Allowed:
    only_V = np.zeros(vocabulary, np.bool_)
    only_V[token] = True
    return only_V
