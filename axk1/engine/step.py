"""One pass through the back end: slices of several jobs as one batch, rows back to each job.

Shape letters: as in `backend`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from axk1.engine.backend import Backend, Batch
from axk1.engine.job import Floats, Job, Wants
from axk1.engine.scheduler import Slice

__all__ = ["Part", "batch_of", "run", "tables"]


@dataclass(frozen=True)
class Part:
    """One job's share of a step, and the positions whose rows it wants."""

    job: Job
    piece: Slice
    wanted: list[int]


def run(backend: Backend, parts: Sequence[Part], wants: Wants) -> list[Floats]:
    """The wanted rows of each part, in order. All parts want the same kind."""
    batch = batch_of(parts)
    rows_WX = backend.logits(batch) if wants == "logits" else backend.hidden(batch)
    ends = np.cumsum([len(part.wanted) for part in parts])
    return np.split(rows_WX, ends[:-1])


def batch_of(parts: Sequence[Part]) -> Batch:
    """The parts' tokens one after the other, drafts behind the known ones; tables hold the blocks up to the last."""
    pieces = [part.piece for part in parts]
    starts = np.cumsum([0, *(piece.count + len(piece.draft) for piece in pieces)])
    shifts = starts[:-1] - [piece.start for piece in pieces]
    places = [shift + one for shift, part in zip(shifts, parts, strict=True) for one in part.wanted]
    return Batch(
        tokens_N=_int32([token for piece in pieces for token in _tokens(piece)]),
        starts_S1=_int32(starts),
        cached_S=_int32([piece.start for piece in pieces]),
        blocks_SM=tables([piece.sequence.blocks for piece in pieces]),
        wanted_W=_int32(places),
    )


def _tokens(piece: Slice) -> list[int]:
    return [*piece.sequence.tokens[piece.start : piece.end], *piece.draft]


def tables(blocks: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """The blocks of each sequence as a row, padded with -1."""
    blocks_SM = np.full((len(blocks), max(map(len, blocks))), -1, np.int32)
    for row, table in zip(blocks_SM, blocks, strict=True):
        row[: len(table)] = table
    return blocks_SM


def _int32(values: object) -> NDArray[np.int32]:
    return np.asarray(values, np.int32)
