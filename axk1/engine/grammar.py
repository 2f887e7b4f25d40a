"""Structured output: which tokens a JSON schema, a regular expression or a Lark grammar allows next (llguidance).

Shape letter: V vocabulary of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper
from numpy.typing import NDArray

from axk1.chat.sampling import SamplingParams
from axk1.engine.structure import laid_out
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["Grammars", "Matcher"]


_KEPT = 64  # grammars


class Matcher:
    """Follows one completion. `allowed` before a token is chosen, `accept` after."""

    def __init__(self, matcher: LLMatcher, vocabulary: int) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary

    def begun(self) -> Matcher:
        """Another one, of the same grammar and at the same place."""
        return Matcher(self._matcher.deep_copy(), self._vocabulary)

    @property
    def ended(self) -> bool:
        """Whether the completion is whole and nothing can follow."""
        return self._matcher.is_stopped()

    def allowed(self) -> NDArray[np.bool_]:
        """True for the tokens that may come next: bool [V]."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        allowed_V = np.zeros(self._vocabulary, np.bool_)
        known = np.unpackbits(bits, bitorder="little")[: self._vocabulary]
        allowed_V[: len(known)] = known
        return allowed_V

    def accept(self, token: int) -> None:
        """The token that was chosen, one of the allowed."""
        if not self._matcher.consume_token(token):
            raise ValueError(f"the structured output broke off: {_line(self._matcher.get_error())}")


class Grammars:
    """Makes matchers for a tokenizer; `eos` end a completion once it is whole, `vocabulary` is the model's."""

    def __init__(self, tokenizer: Tokenizer, eos: Iterable[int], vocabulary: int) -> None:
        self._vocabulary = vocabulary
        ends = sorted(token for token in eos if token < tokenizer.vocab_size)
        self._made: dict[str, Matcher] = {}
        self._tokenizer = LLTokenizer(TokenizerWrapper(_Vocabulary(tokenizer, ends)), eos_token=ends or None)

    def matcher(self, params: SamplingParams) -> Matcher:
        """ValueError in one line for a schema, regex or grammar that cannot be followed."""
        return self._begin(*_grammar(params))

    def calls(self, lark: str) -> Callable[[], Matcher]:
        """What makes a matcher for each tool call. ValueError as `matcher`."""
        first = self._begin("the tools' grammar", LLMatcher.grammar_from_lark(lark))
        return first.begun

    def _begin(self, name: str, source: str) -> Matcher:
        """A matcher at its start; grammars that were made lately are kept, since making a large one takes a while."""
        found = self._made.get(source)
        if found is None:
            error = LLMatcher.validate_grammar(source, self._tokenizer)
            if error and not error.startswith("WARNING"):
                raise ValueError(f"{name} cannot be followed: {_line(error)}")
            found = Matcher(LLMatcher(self._tokenizer, source, log_level=0), self._vocabulary)
            if len(self._made) >= _KEPT:
                self._made.clear()
            self._made[source] = found
        return found.begun()


class _Vocabulary:
    """The tokenizer in the form that llguidance asks for."""

    def __init__(self, tokenizer: Tokenizer, ends: Sequence[int]) -> None:
        self._encode = tokenizer.encode_bytes
        self.tokens = list(tokenizer.token_bytes)
        # no text of a structure may steer like them; a grammar names them by id, <[7]>
        self.special_token_ids = sorted(tokenizer.named_ids.values())
        self.eos_token_id = [*ends, *self.special_token_ids, 0][0]  # the library asks for one in any case
        self.bos_token_id = None

    def __call__(self, text: bytes) -> list[int]:
        return self._encode(text)


def _grammar(params: SamplingParams) -> tuple[str, str]:
    """The name of the structure and llguidance's own form of it."""
    if params.json_schema is not None:
        return "json_schema", LLMatcher.grammar_from_json_schema(laid_out(params.json_schema))
    if params.regex is not None:
        return "regex", LLMatcher.grammar_from_regex(params.regex)
    assert params.grammar is not None
    return "grammar", LLMatcher.grammar_from_lark(params.grammar)


def _line(message: str) -> str:
    return " ".join(message.split())
