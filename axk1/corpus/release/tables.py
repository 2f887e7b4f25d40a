"""Rows → Parquet files of a bounded size, named as hubs want them: data/train-00000-of-00003.parquet."""

from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from axk1.corpus.mix import utf8_length

__all__ = ["COLUMNS", "SCHEMA", "Row", "Shards"]

COLUMNS = ("text", "id", "source", "license", "attribution", "url", "changes", "metadata")
SCHEMA = pa.schema([pa.field(name, pa.string(), nullable=False) for name in COLUMNS])
Row = dict[str, str]
"""One document; every column is there, empty text where nothing is known; `metadata` is a JSON object."""

_GROUP_BYTES = 16_000_000  # of text in one row group: what a reader has to hold


class Shards:
    """The files of one split. They get their final names, which hold their number, when the last is closed."""

    def __init__(self, folder: Path, split: str, shard_bytes: int) -> None:
        self._folder, self._split, self._shard_bytes = folder, split, shard_bytes
        self._writer: pq.ParquetWriter | None = None
        self._rows: list[Row] = []
        self._row_bytes = self._written = 0
        self._files: list[Path] = []

    def add(self, row: Row) -> None:
        """Append one row. OSError on a full disk."""
        self._rows.append(row)
        self._row_bytes += utf8_length(row["text"])
        full = self._written + self._row_bytes >= self._shard_bytes
        if full or self._row_bytes >= _GROUP_BYTES:
            self._flush()
        if full:
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self._close()
        if kind is None:
            for number, file in enumerate(self._files):
                file.rename(self._folder / f"{self._split}-{number:05d}-of-{len(self._files):05d}.parquet")

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            path = self._folder / f".{self._split}-{len(self._files):05d}"
            self._files.append(path)
            self._writer = pq.ParquetWriter(path, SCHEMA, compression="zstd")
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=SCHEMA))
        self._written += self._row_bytes
        self._rows, self._row_bytes = [], 0

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._written = None, 0
