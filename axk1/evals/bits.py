"""Bits per byte of any text file: how many bits of surprise per byte of UTF-8, comparable between all tokenizers."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from axk1.corpus.clean import DropEmpty, Newlines, Nfc
from axk1.corpus.documents import Document
from axk1.corpus.mix import mixed
from axk1.corpus.source import Source, files_of
from axk1.data.shards import TokenShards
from axk1.data.tokenize import tokenize
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["Scorer", "TextScore", "score"]

Scorer = Callable[[TokenShards], float]
"""The model's bits per byte on the shards."""


@dataclass(frozen=True)
class TextScore:
    """A file's measure, and how much of it was scored: documents, bytes of UTF-8, tokens of the model's tokenizer."""

    file: str
    documents: int
    bytes: int
    tokens: int
    bits_per_byte: float

    @property
    def bytes_per_token(self) -> float:
        """How much text a token holds on average."""
        return self.bytes / self.tokens

    def to_mapping(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "bytes_per_token": round(self.bytes_per_token, 4)}


def score(source: Source, tokenizer: Tokenizer, scorer: Scorer) -> Iterator[TextScore]:
    """A score for every file (.txt, .jsonl, .parquet, plain, .gz or .zst) that the source means, in their order.

    `source.max_bytes` holds for each file: of a longer one a fixed sample of whole documents is scored. The texts are
    cleaned as a corpus is (NFC, line ends) but not deduplicated. CorpusError for what cannot be read or holds no text.
    """
    for file in files_of(source.path).known:
        with tempfile.TemporaryDirectory() as folder:
            written = tokenize(_documents(replace(source, path=str(file))), tokenizer, Path(folder) / "shards")
            if not written.tokens:
                raise ValueError(f"{file}: no text to score")
            bits = scorer(TokenShards.open(Path(folder) / "shards"))
        yield TextScore(str(file), written.documents, written.text_bytes, written.tokens, bits)


def _documents(source: Source) -> Iterator[Document]:
    documents = mixed(source, None, 0, _ignore)
    return DropEmpty()(Nfc()(Newlines()(documents, _ignore), _ignore), _ignore)


def _ignore(_document: Document, _reason: str) -> None:
    """Empty documents have nothing to score."""
