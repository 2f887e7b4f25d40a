"""Which token gave which bytes of an answer, so that log-probabilities can be shown beside the text."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from axk1.engine.output import Delta
from axk1.engine.sampler import Logprob
from axk1.server.calls import TokenScore
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["Scorer", "score", "token_text"]


def token_text(data: bytes) -> str:
    """A token by itself: its text, or its bytes spelt out where they are only a part of a character."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)


def score(tokenizer: Tokenizer, token: int, chances: Mapping[int, Logprob], most: int, data: bytes) -> TokenScore:
    """The token with its chance and the `most` likeliest at its place; `data` is what it gives to the text."""
    ranked = sorted((chance.rank, id_) for id_, chance in chances.items() if chance.rank <= most)
    top = tuple(_alone(tokenizer, id_, chances[id_]) for _, id_ in ranked)
    own = chances[token]
    return TokenScore(token_text(_bytes_of(tokenizer, token)), data, own.logprob, token, top, own.rank)


def _alone(tokenizer: Tokenizer, token: int, chance: Logprob) -> TokenScore:
    data = _bytes_of(tokenizer, token)
    return TokenScore(token_text(data), data, chance.logprob, token, rank=chance.rank)


def _bytes_of(tokenizer: Tokenizer, token: int) -> bytes:
    """Nothing for an id of a padded vocabulary, which the tokenizer does not know."""
    return tokenizer.token_bytes[token] if token < tokenizer.vocab_size else b""


@dataclass
class _Pending:
    """A token whose bytes are not all placed yet."""

    token: int
    chances: Mapping[int, Logprob]
    rest: bytes
    shown: bytearray = field(default_factory=bytearray)


class Scorer:
    """Follows one completion: deltas in with `push`, then `take` what stands before a place of their text.

    The text is the tokens' bytes in order but for what is never shown: bytes that are no character, control tokens,
    what lies behind a stop text. Each token gets the bytes that are its own, so joined they are the text. Tokens that
    give no byte of it are left out, unless `every` token is wanted.
    """

    def __init__(self, tokenizer: Tokenizer, most: int, every: bool = False) -> None:
        self._tokenizer, self._most, self._every = tokenizer, most, every
        self._pending: deque[_Pending] = deque()
        self._text = bytearray()  # pushed, not taken

    def push(self, delta: Delta) -> None:
        """One delta."""
        assert delta.logprobs is not None
        for token, chances in zip(delta.token_ids, delta.logprobs, strict=True):
            hidden = token in self._tokenizer.control_ids
            self._pending.append(_Pending(token, chances, b"" if hidden else _bytes_of(self._tokenizer, token)))
        self._text += delta.text.encode("utf-8")

    def take(self, size: int, shown: bool) -> list[TokenScore]:
        """The tokens that end within the next `size` bytes of the text; those that are not shown are passed over."""
        text, self._text = self._text[:size], self._text[size:]
        scores: list[TokenScore] = []
        for byte in text:
            while not (pending := self._pending[0]).rest.startswith(bytes([byte])):
                self._skip(pending, scores)
            pending.rest = pending.rest[1:]
            if shown:
                pending.shown.append(byte)
            if not pending.rest:
                self._finish(scores)
        return scores

    def rest(self) -> list[TokenScore]:
        """At the end: the tokens whose last bytes are in no text."""
        scores: list[TokenScore] = []
        while self._pending:
            self._finish(scores)
        return scores

    def _skip(self, pending: _Pending, scores: list[TokenScore]) -> None:
        """A byte that is in no text."""
        pending.rest = pending.rest[1:]
        if not pending.rest:
            self._finish(scores)

    def _finish(self, scores: list[TokenScore]) -> None:
        done = self._pending.popleft()
        if done.shown or self._every:
            scores.append(score(self._tokenizer, done.token, done.chances, self._most, bytes(done.shown)))
