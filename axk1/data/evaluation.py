"""Every text token as a target exactly once: what bits per byte is computed from."""

from collections.abc import Iterator

from axk1.data.loader import Batch, stacked
from axk1.data.rows import IGNORED, Place, Row, StreamRows
from axk1.data.shards import TokenShards

__all__ = ["Evaluation"]


class Evaluation:
    """Every text token of the documents (or of a random `documents` of them) as a target exactly once.

    Rows as in "stream", the order fixed. Separators are no targets: they stand for no text. Bits per byte is then the
    summed loss in nats over all batches / (ln 2 * text_bytes), exact and the same unit for every tokenizer. The last
    batch may have fewer rows.
    """

    def __init__(
        self, shards: TokenShards, seq_len: int, batch_size: int, documents: int | None = None, separator: int = 0
    ) -> None:
        shards.require_tokens()
        self._seq_len, self._batch_size, self._separator = seq_len, batch_size, separator
        self._stream = StreamRows(shards, seq_len, 0, separator)
        chosen = [self._stream.document_at(0, at) for at in range(min(documents or len(shards), len(shards)))]
        self.text_bytes = sum(map(shards.text_bytes, chosen))
        self._stream_tokens = sum(map(shards.length, chosen)) + len(chosen)

    def __iter__(self) -> Iterator[Batch]:
        rows, place = list[Row](), Place()
        for start in range(0, self._stream_tokens - 1, self._seq_len):
            row, place = self._stream.row(place)
            row.targets[self._stream_tokens - 1 - start :] = IGNORED
            row.targets[row.targets == self._separator] = IGNORED
            rows.append(row)
            if len(rows) == self._batch_size:
                yield stacked(rows)
                rows = []
        if rows:
            yield stacked(rows)
