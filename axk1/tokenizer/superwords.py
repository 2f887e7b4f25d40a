"""Superwords: a second phase of training whose tokens may span several words ("수 있다", "of the").

The first phase has learnt tokens inside words. In the second, words in a row are one piece (`Pieces.loose_pattern`),
the text is what the first phase makes of it, and further pairs are merged (SuperBPE, arXiv:2503.13423). The result is
ordinary byte-level BPE: all merges in their order, with the loose pattern alone.

The library cannot go on from a tokenizer that is there. So every token of the first phase becomes one character, the
second is trained on texts of these characters, and what it learns is written back in bytes.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import models, pre_tokenizers, trainers

__all__ = ["add_superwords"]

_MOST_PARTS = 8  # first-phase tokens in one superword
_SPARE = 1.1  # what is learnt more than needed: some have bytes that a token already has, or too many
_BATCH = 256
_FIRST = 0x10000  # from here on no character is a space or a surrogate
_BREAK = 0x0A  # stands between pieces


def add_superwords(
    described: dict[str, Any], texts: Iterable[str], vocab_size: int, longest: int, rarest: int
) -> dict[str, Any]:
    """The tokenizer `described`, which has the loose pattern already, with superwords up to `vocab_size` entries.

    `longest` is the most bytes of a token, `rarest` the fewest occurrences of a pair worth a merge. Fewer are added
    when the texts hold no more.
    """
    backend = tokenizers.Tokenizer.from_str(json.dumps(described))
    tokens = [token for token, _ in sorted(backend.get_vocab().items(), key=lambda entry: entry[1])]
    learner = tokenizers.Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=len(tokens) + int((vocab_size - len(tokens)) * _SPARE) + 16,
        min_frequency=rarest,
        max_token_length=_MOST_PARTS,
        initial_alphabet=[chr(_code(id_)) for id_ in range(len(tokens))],
        show_progress=False,
    )
    learner.train_from_iterator(_spelt(backend, texts), trainer)
    learnt = json.loads(learner.to_str())["model"]["merges"]
    _append(described["model"], tokens, learnt, vocab_size, longest)
    return described


def _code(id_: int) -> int:
    """The character of a token."""
    return id_ + _FIRST


def _spelt(backend: tokenizers.Tokenizer, texts: Iterable[str]) -> Iterator[str]:
    """The texts in characters of the first phase, pieces apart."""
    rest = iter(texts)
    while batch := list(islice(rest, _BATCH)):
        for encoding in backend.encode_batch(batch, add_special_tokens=False):
            yield _line(np.array(encoding.ids, np.int64) + _FIRST, np.array(encoding.word_ids, np.int64))


def _line(codes: NDArray[np.int64], pieces: NDArray[np.int64]) -> str:
    starts = np.flatnonzero(np.diff(pieces)) + 1
    return str(np.insert(codes, starts, _BREAK).astype("<u4").tobytes(), "utf-32-le")


def _append(
    model: dict[str, Any], tokens: Sequence[str], learnt: Iterable[Sequence[str]], vocab_size: int, longest: int
) -> None:
    """Write the merges back. What is too long is left out, and with it all that is made of it."""
    written = {chr(_code(id_)): token for id_, token in enumerate(tokens)}
    there = {tuple(merge) for merge in model["merges"]}
    for left, right in learnt:
        if left not in written or right not in written or len(model["vocab"]) >= vocab_size:
            continue
        merged = written[left] + written[right]
        if len(merged) > longest:
            continue
        written[left + right] = merged
        if (pair := (written[left], written[right])) not in there:
            there.add(pair)
            model["merges"].append(list(pair))
            model["vocab"].setdefault(merged, len(model["vocab"]))
