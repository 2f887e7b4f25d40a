"""Korean tokens for another model's byte-level BPE: our merges, appended behind its own.

Appended merges come last, so whatever the base makes of a text stays as it is, and only then are neighbours joined. A
text changes exactly where a new token stands in it, and only tokens with Hangul are added.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import tokenizers

from axk1.tokenizer.foreign import AnyTokenizer
from axk1.tokenizer.tokenizer import TokenizerError

__all__ = ["Graft", "graft"]

_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
Pair = tuple[str, str]


@dataclass(frozen=True)
class Graft:
    """The new tokenizer file, the first new id, and for each new id the base's ids that spell it."""

    described: dict[str, Any]
    first: int
    parts: tuple[tuple[int, ...], ...]


def graft(base: AnyTokenizer, ours: AnyTokenizer, size: int) -> Graft:
    """`base` with up to `size` more tokens, in the order in which `ours` learnt them.

    Steps towards a token that the base spells in more than two pieces count too. TokenizerError when one of them is not
    byte-level BPE with merges, ValueError when `size` is not positive or there is nothing to add.
    """
    if size < 1:
        raise ValueError(f"size must be 1 or more, found {size}")
    for one in (base, ours):
        if not one.is_byte_level or one.described["model"].get("type", "BPE") != "BPE":
            raise TokenizerError(f"{one.name}: only byte-level BPE can be grafted")
    merges = _Merges(base)
    first = 1 + max(base.backend.get_vocab().values())
    for token in _korean(ours):
        if len(merges.added) >= size:
            break
        if merges.in_one_piece(token):
            merges.add(token, size)
    if not merges.added:
        raise ValueError(f"{base.name} has all the Korean tokens of {ours.name} already")
    return Graft(_described(base, merges.added, first), first, tuple(map(merges.of_base, merges.added)))


class _Merges:
    """The base's merges, and those that are added. Byte-level tokens are strings of GPT-2's characters."""

    def __init__(self, base: AnyTokenizer) -> None:
        listed = base.described["model"]["merges"]
        pairs = ((merge.split(" ") if isinstance(merge, str) else merge) for merge in listed)
        self._base = base
        self._ranks: dict[Pair, int] = {(left, right): rank for rank, (left, right) in enumerate(pairs)}
        self._ids = base.backend.get_vocab(with_added_tokens=False)
        self._of_base = len(self._ranks)
        self.added: dict[str, Pair] = {}

    def in_one_piece(self, token: str) -> bool:
        """Whether the base's pre-tokenizer leaves the token whole: else no merge could join it."""
        splitter, text = self._base.backend.pre_tokenizer, _text(token, self._base)
        return splitter is None or [piece for piece, _ in splitter.pre_tokenize_str(text)] == [token]

    def add(self, token: str, size: int) -> None:
        """Join what the merges so far leave of the token, from the left; nothing if that takes more than is left."""
        pieces = self._cut(token, len(self._ranks))
        wanted: dict[str, Pair] = {}
        while len(pieces) > 1:
            wanted[pieces[0] + pieces[1]] = (pieces[0], pieces[1])
            pieces = [pieces[0] + pieces[1], *pieces[2:]]
        if len(self.added) + len(wanted) > size or any(made in self._ids for made in wanted):
            return
        for made, pair in wanted.items():
            self._ranks[pair] = len(self._ranks)
            self.added.setdefault(made, pair)

    def of_base(self, token: str) -> tuple[int, ...]:
        """The base's ids of the token's bytes."""
        return tuple(self._ids[piece] for piece in self._cut(token, self._of_base))

    def _cut(self, token: str, below: int) -> list[str]:
        """The token by the merges of a rank below this."""
        pieces = list(token)
        while len(pieces) > 1:
            ranks = [self._ranks.get(pair, below) for pair in pairwise(pieces)]
            best = min(ranks)
            if best >= below:
                break
            at = ranks.index(best)
            pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
        return pieces


def _korean(ours: AnyTokenizer) -> Iterator[str]:
    """Our tokens with Hangul, whole characters only, in the order of their ids."""
    names = {id_: token for token, id_ in ours.backend.get_vocab(with_added_tokens=False).items()}
    for id_, text in sorted(ours.texts.items()):
        if text is not None and _HANGUL.search(text):
            yield names[id_]


def _text(token: str, base: AnyTokenizer) -> str:
    text = base.text_of(token)
    assert text is not None, token
    return text


def _described(base: AnyTokenizer, added: Mapping[str, Pair], first: int) -> dict[str, Any]:
    described = copy.deepcopy(base.described)
    model = described["model"]
    # An added token without an entry would get the number of entries as its id, which grows: give it an entry.
    model["vocab"] |= {one["content"]: one["id"] for one in described.get("added_tokens", ())}
    model["vocab"] |= {token: first + place for place, token in enumerate(added)}
    as_text = bool(model["merges"]) and isinstance(model["merges"][0], str)
    model["merges"] = [*model["merges"], *(" ".join(pair) if as_text else list(pair) for pair in added.values())]
    tokenizers.Tokenizer.from_str(json.dumps(described))  # the library agrees, or raises
    return described
