r"""Training of the byte-level BPE.

The pre-tokenizer cuts text into pieces that no token crosses. Its pattern, alternative by alternative:

1. `'(?i:s|t|re|ve|m|ll|d)(?!\p{L})`  English endings ('s, 't, 'll) on their own, so that "don't" and "can't" share one;
   the look-ahead leaves quoted words ('test') alone.
2. ` ?\p{Hangul}…`  A run of Hangul (syllables and jamo, old ones included) with its combining marks. It ends where
   another script begins, so "LG전자" and "API를" meet at a boundary, and the particle after a foreign word is the same
   token as elsewhere. With `hangul="syllables"` every syllable is a piece, so that a name which training never saw is
   cut as all others are: what a small model needs to copy it (docs/rooms/tokenizer.md has the figures).
3. `[ _]?\p{Latin}…`  The same for Latin. The underscore opens a part of a snake_case name ("set", "_light").
4. ` ?\p{Han}…`, ` ?[\p{Hiragana}\p{Katakana}]…`  The same for Chinese characters and for kana (with the sound mark
   "ー", which Unicode gives to no script).
5. ` ?[^\P{L}…]…`  Any other letters (Greek, Cyrillic, Thai …): a letter that is in none of the scripts above.
   In 2 to 5 an optional space stays with its word: most words then cost one piece, not two.
6. `\p{N}`  Every digit alone and without its space, so that a number is always read digit by digit, the same way at the
   start of a text, after a space or after a letter. Arithmetic depends on it.
7. ` ?[^\s\p{L}\p{N}]+`  A run of punctuation, symbols and emoji, such as `":` or ` {"`.
8. `[\r\n]+`  Newlines apart from what stands around them, so that a line ends in the same token as a sentence does.
9. `[^\S\r\n]+(?= [^\s\p{N}])`, `[^\S\r\n]+`  White space. Before a word the last space is left to the word (indentation
   of four is three + one), which makes an indented `return` the same token as any other ` return`; before a digit or a
   newline, or where tabs indent, the run stays whole.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from axk1.tokenizer.special import MARKUP, SPECIAL_TOKENS
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["PATTERNS", "SMALLEST_VOCABULARY", "Hangul", "train"]

Hangul = Literal["words", "syllables"]
"""What a token of Hangul may span: a run of syllables, or one syllable. Either may carry the space before it."""

_KANA = r"\p{Hiragana}\p{Katakana}"
_OTHER_LETTER = rf"[^\P{{L}}\p{{Hangul}}\p{{Latin}}\p{{Han}}{_KANA}]"
_HANGUL: Mapping[Hangul, str] = {
    "words": r" ?\p{Hangul}[\p{Hangul}\p{M}]*",
    "syllables": r" ?\p{Hangul}\p{M}*",
}


def _pattern(hangul: Hangul) -> str:
    alternatives = (
        r"'(?i:s|t|re|ve|m|ll|d)(?!\p{L})",
        _HANGUL[hangul],
        r"[ _]?\p{Latin}[\p{Latin}\p{M}]*",
        r" ?\p{Han}[\p{Han}\p{M}]*",
        rf" ?[{_KANA}][{_KANA}ー\p{{M}}]*",
        rf" ?{_OTHER_LETTER}(?:{_OTHER_LETTER}|\p{{M}})*",
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+",
        r"[\r\n]+",
        r"[^\S\r\n]+(?= [^\s\p{N}])",
        r"[^\S\r\n]+",
    )
    return "|".join(alternatives)


PATTERNS: Mapping[Hangul, str] = {hangul: _pattern(hangul) for hangul in _HANGUL}

SMALLEST_VOCABULARY = len(SPECIAL_TOKENS) + 256  # the special tokens and every byte
_LONGEST_TOKEN = 48  # bytes: rules such as "----…" of one document are not worth an entry
_RAREST_PAIR = 2  # occurrences: a pair seen once would be learnt from a single document


def train(texts: Iterable[str], vocab_size: int, hangul: Hangul = "words") -> Tokenizer:
    """A tokenizer of at most `vocab_size` entries (fewer when the texts do not hold that many pairs).

    The texts are read once, in order, and not kept. ValueError when there is no text, `vocab_size` has no room for the
    special tokens and the 256 bytes, or `hangul` is not known.
    """
    if hangul not in PATTERNS:
        raise ValueError(f"hangul {hangul!r} is not known: use one of {', '.join(PATTERNS)}")
    if vocab_size < SMALLEST_VOCABULARY:
        raise ValueError(f"vocab_size {vocab_size} is too small: special tokens and bytes need {SMALLEST_VOCABULARY}")
    backend = _untrained(PATTERNS[hangul])
    backend.train_from_iterator(_not_empty(texts), _trainer(vocab_size))
    return Tokenizer(_with_special_tokens(backend))


def _untrained(pattern: str) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    return backend


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
