"""Drafts by the checkpoint's multi-token-prediction layer, which runs behind every step on what the step computed.

The layer was trained to foretell one token. For more it goes on from its own state and its own token.

Shape letters: N positions, S1 = sequences + 1, W wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from axk1.arch import ModelConfig, active_parameters
from axk1.engine import scheduler
from axk1.engine.backend import Batch, Drafting
from axk1.engine.step import Part, tables

__all__ = ["Mtp"]


@dataclass(frozen=True)
class _Span:
    """Positions of one sequence, the token that follows each, and the place of the first in the pass before."""

    number: int  # of the part
    start: int
    following: list[int]
    row: int


class Mtp:
    """Implements `Drafter`. Positions of prompts pass through the layer too, so that it has its own cache of them."""

    def __init__(self, backend: Drafting, config: ModelConfig, block_size: int) -> None:
        self._backend = backend
        self._block_size = block_size
        head = config.vocab_size * config.hidden_size
        whole = active_parameters(config) - (0 if config.tie_word_embeddings else head)  # look-ups cost nothing
        self.cost = (head + (whole - head) / config.num_hidden_layers) / whole

    def draft(self, parts: Sequence[Part], lengths: Sequence[int]) -> list[list[int]]:
        """As many tokens as asked for, fewer where the sequence has no block for the positions of more."""
        drafts: list[list[int]] = [[] for _ in parts]
        spans = _computed(parts)
        while spans:
            wanted = [place for place, span in enumerate(spans) if len(drafts[span.number]) < lengths[span.number]]
            tokens = self._run([parts[span.number].piece.sequence.blocks for span in spans], spans, wanted)
            for place, token in zip(wanted, tokens, strict=True):
                drafts[spans[place].number].append(token)
            spans = self._next(parts, lengths, drafts, spans, wanted)
        return drafts

    def forget(self, sequence: scheduler.Sequence) -> None:
        """Nothing is kept."""

    def _run(self, blocks: Sequence[Sequence[int]], spans: Sequence[_Span], wanted: Sequence[int]) -> list[int]:
        starts_S1 = np.cumsum([0, *(len(span.following) for span in spans)], dtype=np.int32)
        batch = Batch(
            tokens_N=np.array([token for span in spans for token in span.following], np.int32),
            starts_S1=starts_S1,
            cached_S=np.array([span.start for span in spans], np.int32),
            blocks_SM=tables(blocks),
            wanted_W=np.array([starts_S1[place + 1] - 1 for place in wanted], np.int32),
        )
        rows_N = np.concatenate([np.arange(len(span.following)) + span.row for span in spans]).astype(np.int32)
        return [int(token) for token in self._backend.draft(batch, rows_N)]

    def _next(
        self,
        parts: Sequence[Part],
        lengths: Sequence[int],
        drafts: Sequence[Sequence[int]],
        spans: Sequence[_Span],
        wanted: Sequence[int],
    ) -> list[_Span]:
        """One position further on, for those that want more and have a block there."""
        ends = np.cumsum([len(span.following) for span in spans])
        longer = []
        for place in wanted:
            span = spans[place]
            number, position = span.number, span.start + len(span.following)
            room = len(parts[number].piece.sequence.blocks) * self._block_size
            if len(drafts[number]) < lengths[number] and position < room:
                longer.append(_Span(number, position, [drafts[number][-1]], int(ends[place]) - 1))
        return longer


def _computed(parts: Sequence[Part]) -> list[_Span]:
    """What the step computed and the sequences kept. Behind the last token of a text that is only read nothing follows;
    its own stands in, so that the cache holds numbers there."""
    spans, row = [], 0
    for number, part in enumerate(parts):
        piece, sequence = part.piece, part.piece.sequence
        following = [*sequence.tokens, sequence.tokens[-1]][piece.start + 1 : sequence.computed + 1]
        if following:
            spans.append(_Span(number, piece.start, following, row))
        row += piece.count + len(piece.draft)
    return spans
