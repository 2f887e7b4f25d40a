"""What a tokenizer costs and how it cuts: the measures of the audit, each a function of a tokenizer and texts."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import tokenizers

from axk1.tokenizer.foreign import AnyTokenizer

__all__ = [
    "PAGE_CHARACTERS", "Cost", "Cut", "Entries", "cost", "cuts", "entries", "syllable_lengths", "word_tokens",
]  # fmt: skip

PAGE_CHARACTERS = 1500  # of an A4 page of Korean
SYLLABLES = [chr(code) for code in range(0xAC00, 0xD7A4)]
_SHOWN = 20


@dataclass(frozen=True)
class Cost:
    """Of one kind of text. `changed`: texts that do not come back; `changed_beyond_nfc`: not even in NFC."""

    texts: int
    bytes: int
    characters: int
    eojeols: int
    tokens: int
    changed: int
    changed_beyond_nfc: int

    @property
    def bytes_per_token(self) -> float:
        """UTF-8 bytes a token stands for; higher is cheaper."""
        return self.bytes / self.tokens

    @property
    def tokens_per_eojeol(self) -> float:
        """Tokens of what stands between spaces; lower is cheaper."""
        return self.tokens / self.eojeols

    def page_price(self, price: float) -> float:
        """Of an A4 page of 1,500 characters, in the currency of `price` per million tokens."""
        return self.tokens / self.characters * PAGE_CHARACTERS * price / 1e6


@dataclass(frozen=True)
class Cut:
    """Token boundaries inside eojeols beside those of morphemes."""

    both: int
    ours: int
    theirs: int

    @property
    def precision(self) -> float:
        """Of the tokenizer's cuts, how many are boundaries of morphemes."""
        return self.both / self.ours if self.ours else 0.0

    @property
    def recall(self) -> float:
        """Of the boundaries of morphemes, how many are cuts; the longer the tokens, the fewer."""
        return self.both / self.theirs if self.theirs else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 when nothing agrees."""
        return 2 * self.both / (self.ours + self.theirs) if self.both else 0.0


@dataclass(frozen=True)
class Entries:
    """Of the vocabulary: parts of characters, entries that nothing led to, entries the sample lacks.

    `unreachable`: neither their own text nor the sample has them; a pre-tokenizer that looks ahead may need more text.
    `scaffolding`: of the unseen ones, how many only stand inside a longer one that was seen. The lists are examples; of
    the unseen ones the longest words.
    """

    fragments: int
    unreachable: int
    unseen: int
    scaffolding: int
    unreachable_examples: tuple[str, ...]
    unseen_examples: tuple[str, ...]


def cost(tokenizer: AnyTokenizer, texts: Sequence[str]) -> tuple[Cost, Counter[int]]:
    """What the texts cost, and how often each id occurs. ValueError when they hold no word."""
    used: Counter[int] = Counter()
    tokens = changed = beyond = 0
    for text, encoding in zip(texts, tokenizer.encode(texts), strict=True):
        used.update(encoding.ids)
        tokens += len(encoding.ids)
        back = tokenizer.backend.decode(encoding.ids, skip_special_tokens=False)
        changed += back != text
        beyond += unicodedata.normalize("NFC", back) != unicodedata.normalize("NFC", text)
    eojeols = sum(len(text.split()) for text in texts)
    if not eojeols or not tokens:
        raise ValueError("there is no text to measure")
    size = sum(len(text.encode("utf-8")) for text in texts)
    return Cost(len(texts), size, sum(map(len, texts)), eojeols, tokens, changed, beyond), used


def cuts(tokenizer: AnyTokenizer, texts: Sequence[str], boundaries: Callable[[str], frozenset[int]]) -> Cut:
    """How far cuts inside runs of Hangul agree with `boundaries`: the characters at which a morpheme begins."""
    both = ours = theirs = 0
    for text, encoding in zip(texts, tokenizer.encode(texts), strict=True):
        inside = {at for at in range(1, len(text)) if _is_syllable(text[at]) and _is_syllable(text[at - 1])}
        cut = _starts(encoding, text) & inside
        wanted = boundaries(text) & inside
        both, ours, theirs = both + len(cut & wanted), ours + len(cut), theirs + len(wanted)
    return Cut(both, ours, theirs)


def syllable_lengths(tokenizer: AnyTokenizer) -> dict[int, float]:
    """Share of the 11,172 syllables by number of tokens; 3 means three or more."""
    counted = Counter(min(len(encoding.ids), 3) for encoding in tokenizer.encode(SYLLABLES))
    return {length: counted[length] / len(SYLLABLES) for length in (1, 2, 3)}


def word_tokens(tokenizer: AnyTokenizer, words: Sequence[str]) -> float:
    """Mean number of tokens of a word with a space before it, as it stands in a text."""
    return sum(len(encoding.ids) for encoding in tokenizer.encode([f" {word}" for word in words])) / len(words)


def entries(tokenizer: AnyTokenizer, used: Counter[int]) -> Entries:
    """What the vocabulary holds besides tokens that do their work. `used`: how often a sample has each id."""
    whole = {id_: text for id_, text in tokenizer.texts.items() if text is not None}
    found = tokenizer.encode(list(whole.values()))
    lost = [id_ for id_, encoding in zip(whole, found, strict=True) if encoding.ids != [id_] and id_ not in used]
    unseen = sorted(whole.keys() - used.keys() - set(lost), key=lambda id_: -len(whole[id_]))
    inside = _inside(tokenizer, used)
    return Entries(
        fragments=len(tokenizer.texts) - len(whole),
        unreachable=len(lost),
        unseen=len(unseen),
        scaffolding=len(inside.intersection(unseen)),
        unreachable_examples=tuple(whole[id_] for id_ in lost[:_SHOWN]),
        unseen_examples=tuple(islice((whole[id_] for id_ in unseen if whole[id_].isalpha()), _SHOWN)),
    )


def _starts(encoding: tokenizers.Encoding, text: str) -> set[int]:
    """Where tokens begin; a space that belongs to its word is not the word's first character."""
    return {start for start, end in encoding.offsets if start < end and start < len(text)}


def _is_syllable(character: str) -> bool:
    return "가" <= character <= "힣"


def _inside(tokenizer: AnyTokenizer, used: Iterable[int]) -> set[int]:
    """The ids that the merges towards the used ones pass through; none where tokens are not made by merges."""
    ids = tokenizer.backend.get_vocab()
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in _merges(tokenizer)]
    made_of = {ids[left + right]: (ids[left], ids[right]) for left, right in reversed(pairs)}
    passed: set[int] = set()
    waiting = list(used)
    while waiting:
        parts = made_of.get(waiting.pop(), ())
        waiting += [id_ for id_ in parts if id_ not in passed]
        passed.update(parts)
    return passed


def _merges(tokenizer: AnyTokenizer) -> Sequence[str | Sequence[str]]:
    merges: Sequence[str | Sequence[str]] = tokenizer.described["model"].get("merges", ())
    return merges
