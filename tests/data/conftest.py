"""Shards with known content."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from axk1.data.shards import ShardWriter, TokenShards

MakeShards = Callable[..., TokenShards]


@pytest.fixture
def make_shards(tmp_path_factory: pytest.TempPathFactory) -> MakeShards:
    """Documents (and masks) → shards; text_bytes is three times the length."""

    def make(
        documents: Sequence[Sequence[int]], vocab_size: int = 65536, masks: Sequence[Sequence[bool]] | None = None
    ) -> TokenShards:
        folder: Path = tmp_path_factory.mktemp("made") / "shards"
        with ShardWriter(folder, vocab_size, with_loss_mask=masks is not None) as writer:
            for number, ids in enumerate(documents):
                writer.add(ids, None if masks is None else masks[number], text_bytes=3 * len(ids))
        return TokenShards.open(folder)

    return make
