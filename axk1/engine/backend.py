"""What runs the model: batches of tokens in, logits out, with a paged cache of latents that the back end owns.

Shape letters: N tokens of a step, S sequences, S1 = S + 1, M blocks of the longest table, W wanted tokens,
V vocabulary, D hidden size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from axk1.arch import ModelConfig
from axk1.checkpoint import CheckpointFolder
from axk1.engine.streaming import ExpertStatistics, Footprint

__all__ = ["Backend", "Batch", "CacheChoice", "CacheFormat", "Drafting"]

CacheFormat = Literal["fp32", "bf16", "int8"]
"""What the numbers of a latent cache are. int8: latents with a float32 scale per 64, the rotary key in bfloat16."""
CacheChoice = Literal["auto", "int8"]
"""What a caller may ask for. auto: as exact as the back end's activations are."""


@dataclass(frozen=True)
class Batch:
    """The tokens of one step: those of several sequences, one after the other. All arrays are int32.

    Sequence s owns `tokens_N[starts_S1[s]:starts_S1[s + 1]]`, at least one token; the i-th of them has the position
    `cached_S[s] + i`. Positions b * block_size up to (b + 1) * block_size of a sequence lie in its b-th block,
    `blocks_SM[s, b]`; -1 pads the tables. `wanted_W` are places in `tokens_N`, ascending, perhaps none.
    """

    tokens_N: NDArray[np.int32]
    starts_S1: NDArray[np.int32]
    cached_S: NDArray[np.int32]
    blocks_SM: NDArray[np.int32]
    wanted_W: NDArray[np.int32]


class Backend(Protocol):
    """A plug-in of the kind `engine_backend`.

    Built as `cls(folder: CheckpointFolder, blocks: int, block_size: int, threads: int | None)`, and where `footprint`
    says that experts may stay on disk also with `expert_bytes: int`, the memory for them, and with `cache="int8"`
    where `cache_format` allows that; raises CheckpointError for weights that it cannot read. One thread calls it, not
    always the same. Both passes write the latents of all the batch's tokens to the cache first, so that tokens of one
    step see each other; blocks may be shared for reading by several sequences, but a block that a step writes to
    belongs to one. Whatever a block held before is no longer looked at. Results are fresh arrays that the caller may
    change.
    """

    @property
    def config(self) -> ModelConfig:
        """The shape of the model."""
        ...

    @property
    def block_size(self) -> int:
        """Positions of one block."""
        ...

    @property
    def blocks(self) -> int:
        """Blocks of the cache; ids are smaller."""
        ...

    @staticmethod
    def cache_format(folder: CheckpointFolder, choice: CacheChoice = "auto") -> CacheFormat:
        """What its cache of this folder would hold, so that bytes can be counted before it is built. ValueError when
        it has no such cache."""
        ...

    @staticmethod
    def footprint(
        folder: CheckpointFolder, max_batch_tokens: int, max_sequences: int, *, drafting: bool = False
    ) -> Footprint | None:
        """What it would take of memory besides the cache; None: that is not known, memory bounds the cache alone."""
        ...

    @property
    def statistics(self) -> ExpertStatistics | None:
        """What experts on disk cost so far; None when there are none."""
        ...

    def logits(self, batch: Batch) -> NDArray[np.float32]:
        """Scores of the token after each wanted one: float32 [W, V]."""
        ...

    def hidden(self, batch: Batch) -> NDArray[np.float32]:
        """Hidden states of the wanted tokens after the last norm, as the head sees them: float32 [W, D]."""
        ...

    def close(self) -> None:
        """Gives memory and threads back; a second call does nothing."""
        ...


class Drafting(Protocol):
    """What a back end offers besides when it drafts with the checkpoint's multi-token-prediction layer.

    Its class then has `can_draft(folder: CheckpointFolder) -> bool`, and is built with `drafting=True`. The layer has a
    cache of its own, in the same blocks: one layer more for every token.
    """

    def draft(self, batch: Batch, rows_N: NDArray[np.int32]) -> NDArray[np.int32]:
        """The likeliest token after the one that follows each wanted position: int32 [W].

        The layer joins the state of a position with the token that follows it. `batch` has these positions, with
        `tokens_N` the tokens that follow; `rows_N` are the places of the positions in the batch of the pass before, by
        `logits` or `hidden`, or by `draft`, whose states are the layer's own.
        """
        ...
