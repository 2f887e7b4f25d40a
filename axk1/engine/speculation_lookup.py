"""Prompt lookup: what followed the last few tokens when they occurred before, in the prompt or the completion, is the
draft. Costs next to nothing; pays where answers repeat: quotes, code, lists, summaries.
"""

from __future__ import annotations

from collections.abc import Sequence

from axk1.engine import scheduler
from axk1.engine.step import Part

__all__ = ["Lookup", "NgramIndex"]


class NgramIndex:
    """Where each run of `shortest` to `longest` tokens occurred last, and so what followed it. Grows with the text."""

    def __init__(self, longest: int = 4, shortest: int = 2) -> None:
        if not 1 <= shortest <= longest:
            raise ValueError(f"n-grams need 1 <= shortest <= longest, not {shortest} and {longest}")
        self._sizes = range(longest, shortest - 1, -1)
        self._followed_at: dict[tuple[int, ...], int] = {}
        self._known = 0

    def extend(self, tokens: Sequence[int], most: int) -> bool:
        """Takes in up to `most` tokens that are new since the last call; whether that were all."""
        end = min(len(tokens), self._known + most)
        for place in range(self._known, end):
            for size in self._sizes:
                if size <= place:
                    self._followed_at[tuple(tokens[place - size : place])] = place
        self._known = end
        return end == len(tokens)

    def draft(self, tokens: Sequence[int], length: int) -> list[int]:
        """The tokens that followed the longest known end of the text, at most `length`; a text that repeats itself is
        repeated further."""
        for size in self._sizes:
            place = self._followed_at.get(tuple(tokens[-size:])) if size <= len(tokens) else None
            if place is not None:
                cycle = tokens[place : place + length]
                return [cycle[number % len(cycle)] for number in range(length)]
        return []


class Lookup:
    """Implements `Drafter`. A step takes in at most `most` tokens of a request, so that a long prompt, found in the
    prefix cache whole, holds nobody up."""

    cost = 0.0

    def __init__(self, longest: int = 4, shortest: int = 2, most: int = 2048) -> None:
        self._longest, self._shortest, self._most = longest, shortest, most
        self._indices: dict[scheduler.Sequence, NgramIndex] = {}

    def draft(self, parts: Sequence[Part], lengths: Sequence[int]) -> list[list[int]]:
        """Nothing for a text that does not grow."""
        return [self._one(part, length) for part, length in zip(parts, lengths, strict=True)]

    def forget(self, sequence: scheduler.Sequence) -> None:
        """Drops what is known of the sequence."""
        self._indices.pop(sequence, None)

    def _one(self, part: Part, length: int) -> list[int]:
        if not part.job.room:
            return []
        sequence = part.piece.sequence
        index = self._indices.setdefault(sequence, NgramIndex(self._longest, self._shortest))
        whole = index.extend(sequence.tokens, self._most)
        return index.draft(sequence.tokens, length) if whole and length else []
