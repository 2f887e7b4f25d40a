"""Bits per byte of any text file: how many bits of surprise per byte of UTF-8, comparable between all tokenizers."""

import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from axk1.corpus.clean import DropEmpty, Newlines, Nfc
from axk1.corpus.documents import Document
from axk1.corpus.mix import mixed
from axk1.corpus.source import Source, files_of
from axk1.data.shards import TokenShards
from axk1.data.tokenize import tokenize
from axk1.evals.windows import Logits, Text, groups, log_probabilities
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["Scorer", "TextScore", "documents", "score", "scorer_of"]

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
    for file, found in documents(source):
        with tempfile.TemporaryDirectory() as folder:
            written = tokenize(found, tokenizer, Path(folder) / "shards")
            if not written.tokens:
                raise ValueError(f"{file}: no text to score")
            bits = scorer(TokenShards.open(Path(folder) / "shards"))
        yield TextScore(file, written.documents, written.text_bytes, written.tokens, bits)


def documents(source: Source) -> Iterator[tuple[str, Iterator[Document]]]:
    """Every file that the source means, and its documents as `score` takes them. CorpusError."""
    for file in files_of(source.path).known:
        found = mixed(replace(source, path=str(file)), None, 0, _ignore)
        yield str(file), DropEmpty()(Nfc()(Newlines()(found, _ignore), _ignore), _ignore)


def scorer_of(logits: Logits, start: int) -> Scorer:
    """A model that reads windows, as a scorer; `start` is the id that a document stands behind."""

    def scorer(shards: TokenShards) -> float:
        texts = (Text(shards.document(index).tolist(), 0) for index in range(len(shards)))
        nats = 0.0
        for group in groups(texts, start):
            for window, logits_TV in zip(group, logits([one.inputs for one in group]), strict=True):
                for targets_R1, (logprob_RV,) in log_probabilities(window, logits_TV):
                    nats -= float(np.take_along_axis(logprob_RV, targets_R1, 1).sum())
        return nats / math.log(2) / shards.summary.text_bytes

    return scorer


def _ignore(_document: Document, _reason: str) -> None:
    """Empty documents have nothing to score."""
