"""Tokens on disk: one long row of ids, memory-mapped, and where each document begins in it.

    tokens.bin     ids, little-endian uint16 (vocabulary up to 65,536) or uint32, document after document, no separators
    offsets.bin    uint64, one more than documents: document i is tokens[offsets[i]:offsets[i + 1]]
    bytes.bin      uint32, per document its bytes of UTF-8 text, for bits per byte
    loss.bin       optional, one bit per token (lowest bit first): 1 = the model is trained to say this token
    shards.json    what the above should be

The writer holds no more than its buffers and the reader maps its files, so tens of GB on disk take a few MB of memory.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from axk1.config import ConfigError, from_mapping
from axk1.runs import whole_folder, write_whole

__all__ = ["ShardError", "ShardWriter", "Summary", "TokenShards"]

Ids = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]

_SUMMARY = "shards.json"
_BUFFER_BYTES = 1 << 20
_LARGEST_DOCUMENT = (1 << 32) - 1  # bytes of text that bytes.bin can say
_CHUNK = 1 << 20  # documents looked at together when all lengths are wanted


class ShardError(ValueError):
    """Token files that are damaged, unfinished or do not fit what is asked of them."""


@dataclass(frozen=True)
class Summary:
    """The content of shards.json."""

    vocab_size: int
    tokens: int
    documents: int
    text_bytes: int
    loss_mask: bool
    version: int = 1
    sources: Mapping[str, int] = field(default_factory=dict)  # documents of each, in the order of the shards


class ShardWriter:
    """Writes a shard folder, streaming. A context manager: the folder appears when the block ends without an error."""

    def __init__(self, folder: Path, vocab_size: int, with_loss_mask: bool = False) -> None:
        if vocab_size < 1:
            raise ValueError(f"vocab_size must be above 0, found {vocab_size}")
        self.summary = Summary(vocab_size, 0, 0, 0, with_loss_mask)
        self._dtype = _token_type(vocab_size)
        self._stack = ExitStack()
        self._folder = self._stack.enter_context(whole_folder(folder))
        self._tokens, self._offsets, self._bytes = (self._open(name) for name in ("tokens", "offsets", "bytes"))
        self._loss = _BitWriter(self._open("loss")) if with_loss_mask else None
        self._sources: dict[str, int] = {}
        self._offsets.write(np.uint64(0).tobytes())

    def add(
        self,
        ids: Sequence[int] | Ids,
        loss_mask: Sequence[bool] | Mask | None = None,
        text_bytes: int = 0,
        source: str = "",
    ) -> None:
        """Append a document; those of one source follow each other.

        ShardError for an id outside the vocabulary, a mask that does not fit or a source that was left; OSError.
        """
        row = np.asarray(ids, dtype=np.int64)
        self._check(row, loss_mask, text_bytes)
        self._count(source)
        old = self.summary
        self.summary = Summary(
            old.vocab_size, old.tokens + len(row), old.documents + 1, old.text_bytes + text_bytes, old.loss_mask
        )
        self._tokens.write(row.astype(self._dtype).tobytes())
        self._offsets.write(np.uint64(self.summary.tokens).tobytes())
        self._bytes.write(np.uint32(text_bytes).tobytes())
        if self._loss:
            self._loss.write(np.asarray(loss_mask, dtype=np.bool_))

    def _count(self, source: str) -> None:
        if source in self._sources and source != next(reversed(self._sources)):
            raise ShardError(f"document {self.summary.documents}: source {source!r} had ended before it")
        self._sources[source] = self._sources.get(source, 0) + 1

    def _check(self, row: Ids, loss_mask: Sequence[bool] | Mask | None, text_bytes: int) -> None:
        where = f"document {self.summary.documents}"
        outside = row[(row < 0) | (row >= self.summary.vocab_size)]
        if len(outside):
            raise ShardError(f"{where}: id {outside[0]} is outside the vocabulary of {self.summary.vocab_size}")
        if (loss_mask is not None) != self.summary.loss_mask:
            raise ShardError(f"{where}: a loss mask is given or not, for all documents alike")
        if loss_mask is not None and len(loss_mask) != len(row):
            raise ShardError(f"{where}: the loss mask has {len(loss_mask)} entries for {len(row)} tokens")
        if text_bytes > _LARGEST_DOCUMENT:
            raise ShardError(f"{where}: {text_bytes} bytes are more than one document may have (4 GiB)")

    def close(self) -> None:
        """Finish the files and give the folder its name."""
        with self._stack:
            if self._loss:
                self._loss.finish()
            for file in self._open_files():
                file.close()
            self.summary = replace(self.summary, sources=self._sources if any(self._sources) else {})
            write_whole(self._folder / _SUMMARY, json.dumps(asdict(self.summary), indent=1) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._stack.__exit__(kind, error, trace)

    def _open(self, name: str) -> BinaryIO:
        return self._stack.enter_context(open(self._folder / f"{name}.bin", "wb", buffering=_BUFFER_BYTES))

    def _open_files(self) -> list[BinaryIO]:
        files = [self._tokens, self._offsets, self._bytes]
        return [*files, self._loss.file] if self._loss else files


class TokenShards:
    """A shard folder, mapped: nothing is read before it is asked for."""

    def __init__(self, folder: Path, summary: Summary) -> None:
        self.folder = folder
        self.summary = summary
        self._tokens = _mapped(folder / "tokens.bin", _token_type(summary.vocab_size), summary.tokens)
        self._offsets = _mapped(folder / "offsets.bin", np.dtype("<u8"), summary.documents + 1)
        self._bytes = _mapped(folder / "bytes.bin", np.dtype("<u4"), summary.documents)
        self._loss = None
        if summary.loss_mask:
            self._loss = _mapped(folder / "loss.bin", np.dtype("u1"), -(-summary.tokens // 8))
        if int(self._offsets[-1]) != summary.tokens:
            raise ShardError(f"{folder}: offsets.bin ends at token {self._offsets[-1]}, not at {summary.tokens}")

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map the folder that ShardWriter wrote. ShardError when a file is missing, truncated or of another kind."""
        try:
            values = json.loads((folder / _SUMMARY).read_text(encoding="utf-8"))
            summary = from_mapping(values, Summary, str(folder / _SUMMARY))
        except FileNotFoundError as error:
            raise ShardError(f"{folder} holds no token shards ({_SUMMARY} is missing)") from error
        except (json.JSONDecodeError, ConfigError) as error:
            raise ShardError(f"{folder}: {_SUMMARY} is damaged: {error}") from error
        if summary.version != Summary.version:
            raise ShardError(f"{folder}: format {summary.version}, this program reads {Summary.version}")
        return cls(folder, summary)

    @property
    def vocab_size(self) -> int:
        """Every id is smaller."""
        return self.summary.vocab_size

    @property
    def sources(self) -> dict[str, range]:
        """The documents of every source that the writer was told of."""
        counts = self.summary.sources
        ends = accumulate(counts.values())
        return {name: range(end - counts[name], end) for name, end in zip(counts, ends, strict=True) if name}

    def tokens_in(self, span: range) -> int:
        """Tokens of these documents."""
        return int(self._offsets[span.stop]) - int(self._offsets[span.start])

    def require_tokens(self) -> None:
        """ShardError when there is nothing to train on."""
        if not self.summary.tokens:
            raise ShardError(f"{self.folder} holds no tokens: the corpus was empty")

    def __len__(self) -> int:
        """Documents."""
        return self.summary.documents

    def document(self, index: int, start: int = 0, count: int | None = None) -> Ids:
        """The ids of a document, or `count` of them from `start` on: a view of the map, to be copied before use."""
        first, end = self._span(index)
        stop = end if count is None else min(end, first + start + count)
        return self._tokens[first + start : stop]

    def loss_mask(self, index: int) -> Mask:
        """Per token of a document whether the model is trained to say it. ShardError for shards without masks."""
        if self._loss is None:
            raise ShardError(f"{self.folder} has no loss masks: it is for pre-training")
        first, end = self._span(index)
        bits = np.unpackbits(self._loss[first // 8 : -(-end // 8)], bitorder="little")
        return bits[first % 8 : first % 8 + end - first].astype(np.bool_)

    def length(self, index: int) -> int:
        """Tokens of a document."""
        first, end = self._span(index)
        return end - first

    def text_bytes(self, index: int) -> int:
        """Bytes of UTF-8 text of a document."""
        return int(self._bytes[index])

    def count_longer_than(self, limit: int) -> tuple[int, int]:
        """How many documents have more than `limit` tokens, and the first of them (-1 without one)."""
        count, first = 0, -1
        for start in range(0, len(self), _CHUNK):
            longer = np.flatnonzero(np.diff(self._offsets[start : start + _CHUNK + 1]) > limit)
            first = start + int(longer[0]) if first < 0 and len(longer) else first
            count += len(longer)
        return count, first

    def _span(self, index: int) -> tuple[int, int]:
        if not 0 <= index < self.summary.documents:
            raise IndexError(f"document {index} of {self.summary.documents}")
        return int(self._offsets[index]), int(self._offsets[index + 1])


class _BitWriter:
    """Packs bits, lowest first; the bits that do not fill a byte wait for the next document."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self._rest = np.zeros(0, np.bool_)

    def write(self, bits: Mask) -> None:
        bits = np.concatenate((self._rest, bits))
        whole = len(bits) // 8 * 8
        self.file.write(np.packbits(bits[:whole], bitorder="little").tobytes())
        self._rest = bits[whole:]

    def finish(self) -> None:
        self.file.write(np.packbits(self._rest, bitorder="little").tobytes())


def _token_type(vocab_size: int) -> "np.dtype[Any]":
    return np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")


def _mapped(path: Path, kind: "np.dtype[Any]", count: int) -> npt.NDArray[Any]:
    wanted = count * kind.itemsize
    try:
        found = path.stat().st_size
    except FileNotFoundError as error:
        raise ShardError(f"{path} is missing") from error
    if found != wanted:
        raise ShardError(f"{path} has {found} bytes, should have {wanted}: truncated or of another run")
    return np.memmap(path, kind, mode="r").view(np.ndarray) if wanted else np.zeros(0, kind)
