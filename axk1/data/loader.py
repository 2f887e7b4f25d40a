"""Token shards → batches, in an order that a few numbers describe: a resumed run sees what an unbroken one would.

Two ways to fill rows:

- "stream", for pre-training: <|endoftext|> and a document, <|endoftext|> and the next, cut into rows without a gap and
  without document masks. Every position is trained on, no row is padded, attention takes its fastest path, and the
  model learns from the separator that what came before does not matter. The report on Llama 3 (2024, section 3.2)
  found masks of limited effect in standard pre-training, important only for very long contexts.
- "documents", for fine-tuning: whole samples, best-fit into rows, with an id per sample so that attention stays inside
  it. A conversation must not be cut (its question may lie before the cut) nor see another one (nothing separates two
  conversations, and at inference there is only one). Targets are what the loss mask marks.

Shape letters: B rows of a batch, T positions of a row (seq_len).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from axk1.data.rows import PackedRows, Place, Row, Rows, StreamRows
from axk1.data.shards import ShardError, TokenShards
from axk1.data.stages import Stage, StagedRows

__all__ = ["Batch", "Loader", "LoaderState", "Packing", "TooLong", "stacked"]

Packing = Literal["stream", "documents"]
TooLong = Literal["error", "drop"]


@dataclass(frozen=True)
class Batch:
    """Rows for one forward pass. `targets_BT[b, t]` is the token after `tokens_BT[b, t]`, or IGNORED."""

    tokens_BT: Tensor  # int64
    targets_BT: Tensor  # int64
    documents_BT: Tensor | None  # int32, never falling along a row but for PADDING at its end; None without masks

    def to(self, device: torch.device) -> "Batch":
        """The same batch there."""
        documents = None if self.documents_BT is None else self.documents_BT.to(device)
        return Batch(self.tokens_BT.to(device), self.targets_BT.to(device), documents)


@dataclass(frozen=True)
class LoaderState:
    """Where a loader stands; all JSON values. `position` and `offset` count within the epoch's order of documents.

    With stages, `position` is the number of the row, and `sources` the places in the streams of the sources.
    """

    loader: str
    epoch: int
    position: int
    offset: int
    sources: tuple[Place, ...] = ()


class Loader:
    """Endless batches over the shards, epoch after epoch, each in a new order.

    The order of an epoch is a computed permutation (see Permutation), so neither it nor the tokens are held in memory.
    `dropped` counts the samples that do not fit into a row and are left out by too_long="drop". With `stages`, rows of
    a stream are drawn from the sources stage by stage, over a run of `rows` rows.
    """

    def __init__(
        self,
        shards: TokenShards,
        seq_len: int,
        batch_size: int,
        seed: int,
        pack: Packing = "stream",
        *,
        separator: int = 0,
        padding: int = 3,
        too_long: TooLong = "error",
        stages: Sequence[Stage] = (),
        rows: int = 0,
    ) -> None:
        if seq_len < 1 or batch_size < 1 or seed < 0:
            raise ValueError(f"seq_len {seq_len} and batch_size {batch_size} must be above 0, seed {seed} at least 0")
        shards.require_tokens()
        self.batch_size = batch_size
        self.dropped = 0
        self._place = Place()
        plan = ""
        if pack == "documents":
            self.dropped = _count_too_long(shards, seq_len, too_long)
            self._rows: Rows = PackedRows(shards, seq_len, seed, padding)
        elif stages:
            staged = StagedRows(shards, seq_len, seed, separator, stages, rows)
            self._rows, self._place, plan = staged, staged.start, f", {rows} rows in stages {_told(stages)}"
        else:
            self._rows = StreamRows(shards, seq_len, seed, separator)
        size = f"{shards.summary.documents} documents of {shards.summary.tokens} tokens"
        self._description = f"pack {pack}, seq_len {seq_len}, seed {seed}, {size}{plan}"

    def next(self) -> Batch:
        """The next batch."""
        rows = []
        for _ in range(self.batch_size):
            row, self._place = self._rows.row(self._place)
            rows.append(row)
        return stacked(rows)

    @property
    def epoch(self) -> int:
        """Times that every document has been gone through."""
        return self._place.epoch

    def state(self) -> LoaderState:
        """What `restore` needs to go on with exactly the batches that would have followed."""
        place = self._place
        return LoaderState(self._description, place.epoch, place.position, place.offset, place.sources)

    def restore(self, state: LoaderState) -> None:
        """Go to the state. ValueError if it is of other shards, another seed, row length or packing.

        The batch size may differ: the rows are the same ones.
        """
        if state.loader != self._description:
            raise ValueError(f"the state to resume is of another loader: {state.loader}; this one: {self._description}")
        self._place = Place(state.epoch, state.position, state.offset, state.sources)


def _told(stages: Sequence[Stage]) -> str:
    return "; ".join(f"{one.share:g} of {dict(one.weights)}" for one in stages)


def _count_too_long(shards: TokenShards, seq_len: int, too_long: TooLong) -> int:
    count, first = shards.count_longer_than(seq_len + 1)
    if count and too_long == "error":
        raise ShardError(
            f"{shards.folder}: {count} of {len(shards)} samples are longer than the context of {seq_len} (the first is"
            f' number {first} with {shards.length(first)} tokens); raise seq_len or set too_long = "drop"'
        )
    usable = len(shards) - count - (len(shards) - shards.count_longer_than(1)[0])
    if not usable:
        raise ShardError(f"{shards.folder}: no sample has from 2 to {seq_len + 1} tokens")
    return count


def stacked(rows: Sequence[Row]) -> Batch:
    """Rows of one length as a batch."""
    documents = [row.documents for row in rows if row.documents is not None]
    return Batch(
        torch.from_numpy(np.stack([row.tokens for row in rows])),
        torch.from_numpy(np.stack([row.targets for row in rows])),
        torch.from_numpy(np.stack(documents)) if documents else None,
    )
