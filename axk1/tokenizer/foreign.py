"""Any Hugging Face tokenizer, for comparison: what the library opens, and what each token stands for."""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import tokenizers

from axk1.tokenizer.tokenizer import TokenizerError, byte_characters

__all__ = ["AnyTokenizer", "read_description"]

_FILE = "tokenizer.json"
_SPACE = "▁"  # how tokenizers that are not byte-level write a space


class AnyTokenizer:
    """A tokenizer by its file alone, of whatever kind. Nothing is padded, cut off or put around a text.

    `name` is its folder's name, `described` the content of its file.
    """

    def __init__(self, name: str, described: dict[str, Any]) -> None:
        self.name = name
        self.described = described
        self.backend = tokenizers.Tokenizer.from_str(json.dumps(described))
        self.backend.no_truncation()
        self.backend.no_padding()

    @classmethod
    def load(cls, path: Path) -> Self:
        """From a folder or a tokenizer.json. TokenizerError if there is none, or it is broken."""
        file = path / _FILE if path.is_dir() else path
        described = read_description(file)
        try:
            return cls(file.resolve().parent.name if file.name == _FILE else file.stem, described)
        except Exception as error:  # the library raises nothing narrower
            raise TokenizerError(f"{file} is not a tokenizer file: {error}") from error

    @property
    def vocab_size(self) -> int:
        """Entries, special tokens included."""
        return self.backend.get_vocab_size()

    @cached_property
    def is_byte_level(self) -> bool:
        """Whether a token is spelt in the characters of GPT-2's byte table."""
        return '"ByteLevel"' in json.dumps([self.described.get("pre_tokenizer"), self.described.get("decoder")])

    @cached_property
    def added(self) -> frozenset[int]:
        """Ids of special and other added tokens."""
        return frozenset(self.backend.get_added_tokens_decoder())

    @cached_property
    def texts(self) -> dict[int, str | None]:
        """Id to text, None for a part of a character; added tokens are left out."""
        vocabulary = self.backend.get_vocab(with_added_tokens=False)
        return {id_: self.text_of(token) for token, id_ in vocabulary.items() if id_ not in self.added}

    def text_of(self, token: str) -> str | None:
        """The text that a token's name spells; None for a part of a character."""
        return self._of_bytes(token) if self.is_byte_level else self._of_pieces(token)

    def encode(self, texts: Sequence[str]) -> list[tokenizers.Encoding]:
        """What the library makes of each text, with offsets in characters."""
        return self.backend.encode_batch(list(texts), add_special_tokens=False)

    def _of_bytes(self, token: str) -> str | None:
        try:
            return bytes(self._byte_of[character] for character in token).decode("utf-8")
        except (KeyError, UnicodeDecodeError):
            return None

    def _of_pieces(self, token: str) -> str | None:
        is_byte = len(token) == 6 and token.startswith("<0x") and token.endswith(">")
        return None if is_byte else token.replace(_SPACE, " ")

    @cached_property
    def _byte_of(self) -> dict[str, int]:
        return {character: byte for byte, character in enumerate(byte_characters())}


def read_description(file: Path) -> dict[str, Any]:
    """The JSON object of a tokenizer.json. TokenizerError if it is missing or no such object."""
    try:
        described = json.loads(file.read_bytes().decode("utf-8"))
    except FileNotFoundError as error:
        raise TokenizerError(f"{file} is not there") from error
    except ValueError as error:
        raise TokenizerError(f"{file} is not a tokenizer file: {error}") from error
    if not isinstance(described, dict) or not isinstance(described.get("model"), dict):
        raise TokenizerError(f"{file} is not a tokenizer file: it has no model")
    return described
