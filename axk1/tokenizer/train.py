"""Training of the byte-level BPE: merges inside the pieces of a text (`pieces.py`), and superwords on request."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from axk1.tokenizer.pieces import Pieces
from axk1.tokenizer.special import MARKUP, SPECIAL_TOKENS
from axk1.tokenizer.superwords import add_superwords
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["SMALLEST_VOCABULARY", "train"]

SMALLEST_VOCABULARY = len(SPECIAL_TOKENS) + 256  # the special tokens and every byte
_LONGEST_TOKEN = 48  # bytes: rules such as "----…" of one document are not worth an entry
_RAREST_PAIR = 2  # occurrences: a pair seen once would be learnt from a single document
_WORDS_AND_DIGITS = Pieces()


def train(
    texts: Iterable[str], vocab_size: int, pieces: Pieces = _WORDS_AND_DIGITS, superwords_from: int = 0
) -> Tokenizer:
    """A tokenizer of at most `vocab_size` entries (fewer when the texts do not hold that many pairs).

    The first `superwords_from` entries span words at most, those behind them words in a row; 0 = no such. The texts
    are read once, in order; they are kept in memory if there are to be superwords. ValueError when there is no text,
    `vocab_size` has no room for the special tokens and the 256 bytes, or the choices do not go together.
    """
    if vocab_size < SMALLEST_VOCABULARY:
        raise ValueError(f"vocab_size {vocab_size} is too small: special tokens and bytes need {SMALLEST_VOCABULARY}")
    if not superwords_from:
        return Tokenizer(_with_special_tokens(_trained(texts, vocab_size, pieces)))
    if not SMALLEST_VOCABULARY <= superwords_from < vocab_size:
        raise ValueError(f"superwords_from must lie between {SMALLEST_VOCABULARY} and vocab_size, or be 0")
    if pieces.hangul != "words":
        raise ValueError(f"superwords are made of words: hangul {pieces.hangul!r} has pieces that are none")
    kept = list(texts)
    words = _trained(kept, superwords_from, pieces)
    words.pre_tokenizer = _pre_tokenizer(pieces.loose_pattern)
    described = add_superwords(json.loads(words.to_str()), kept, vocab_size, _LONGEST_TOKEN, _RAREST_PAIR)
    return Tokenizer(_with_special_tokens(tokenizers.Tokenizer.from_str(json.dumps(described))))


def _trained(texts: Iterable[str], vocab_size: int, pieces: Pieces) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = _pre_tokenizer(pieces.pattern)
    backend.decoder = decoders.ByteLevel()
    backend.train_from_iterator(_not_empty(texts), _trainer(vocab_size))
    return backend


def _pre_tokenizer(pattern: str) -> pre_tokenizers.Sequence:
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _trainer(vocab_size: int) -> trainers.BpeTrainer:
    return trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=_RAREST_PAIR,
        max_token_length=_LONGEST_TOKEN,
        special_tokens=list(SPECIAL_TOKENS),  # first, hence ids 0, 1, 2 …
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),  # all 256, also those the texts lack
        show_progress=False,
    )


def _with_special_tokens(backend: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """The trainer marks every special token as one to be skipped in decoding: set the marks right."""
    description = json.loads(backend.to_str())
    description["added_tokens"] = [_added_token(id_, token) for id_, token in enumerate(SPECIAL_TOKENS)]
    return tokenizers.Tokenizer.from_str(json.dumps(description))


def _added_token(id_: int, token: str) -> dict[str, Any]:
    exact = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": id_, "content": token, **exact, "special": token not in MARKUP}


def _not_empty(texts: Iterable[str]) -> Iterator[str]:
    empty = True
    for text in texts:
        empty = empty and not text
        yield text
    if empty:
        raise ValueError("there is no text to train a tokenizer on: the corpus is empty")
