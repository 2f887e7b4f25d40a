"""The trained tokenizer: text ↔ ids, bytes ↔ ids, and its Hugging Face files."""

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import tokenizers

from axk1.runs import write_whole
from axk1.tokenizer.special import END_OF_TEXT, IM_END, PAD, SPECIAL_TOKENS

__all__ = ["StreamDecoder", "Tokenizer", "TokenizerError", "byte_characters"]

_FILE = "tokenizer.json"
# Characters handed to the library at once: it needs some 450 bytes of memory for every token on the way.
_GROUP = 1 << 18
_LINE_START = re.compile(r"(?<=[\r\n])(?=[^\r\n])")
_BROKEN = re.compile("([\udc80-\udcff]+)")  # bytes that are not UTF-8, as the "surrogateescape" handler shows them

# Conjoining jamo and Hangul tone marks: letters that build one syllable together with their neighbours.
_OPEN_SYLLABLE = re.compile("[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff\u302e\u302f]+\\Z")


class TokenizerError(ValueError):
    """A tokenizer file that is missing, broken or not of this project."""


class Tokenizer:
    """Byte-level BPE: any text and any bytes have ids, and every id stands for fixed bytes.

    `token_bytes[id]` are those bytes; a special token stands for its own name. `named_ids` are the ids of all tokens
    that a name in the text stands for, `control_ids` those of them that no reader sees.
    """

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        self._backend = backend
        self.token_bytes = _token_bytes(backend)
        added = backend.get_added_tokens_decoder()
        self.named_ids = {token.content: id_ for id_, token in added.items()}
        self.control_ids = frozenset(id_ for id_, token in added.items() if token.special)

    @property
    def vocab_size(self) -> int:
        """Entries, special tokens included; every id is smaller."""
        return len(self.token_bytes)

    def encode(self, text: str, special_tokens: bool = True) -> list[int]:
        """The ids of the text's NFC form (by the Unicode tables of the `tokenizers` library, as in transformers).

        Special tokens are found first: a combining mark behind one does not change it. With `special_tokens=False`
        their names are plain text: so are documents read, and what users write when it must not steer the model.
        ValueError for a lone surrogate, which is no text.
        """
        return self.encode_batch([text], special_tokens)[0]

    def encode_batch(self, texts: Sequence[str], special_tokens: bool = True) -> list[list[int]]:
        """`encode` of each text, on all cores (the environment variable RAYON_NUM_THREADS sets how many)."""
        return _encode_batch(self._backend if special_tokens else self._plain, texts)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids, special tokens by name; bytes that are not UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def encode_bytes(self, data: bytes) -> list[int]:
        """Ids from which `decode_bytes` gives back exactly `data`.

        What is not UTF-8 is spelt byte by byte. Bytes are data: they are not normalised and hold no special tokens,
        so NFC text without such names has the ids that `encode` gives it.
        """
        ids: list[int] = []
        pieces = _BROKEN.split(data.decode("utf-8", "surrogateescape"))
        for whole, broken in zip(_encode_batch(self._literal, pieces[::2]), [*pieces[1::2], ""], strict=True):
            ids += whole
            ids += [self._byte_ids[byte] for byte in broken.encode("utf-8", "surrogateescape")]
        return ids

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes of the ids. ValueError for an id that is not in the vocabulary."""
        return b"".join([self.bytes_of(id_) for id_ in ids])

    def bytes_of(self, id_: int) -> bytes:
        """The bytes one id stands for. ValueError if it is not in the vocabulary."""
        if not 0 <= id_ < len(self.token_bytes):
            raise ValueError(f"token id {id_} is not in the vocabulary of {len(self.token_bytes)}")
        return self.token_bytes[id_]

    @cached_property
    def _byte_ids(self) -> list[int]:
        ids = {data: id_ for id_, data in enumerate(self.token_bytes) if len(data) == 1}
        return [ids[bytes([byte])] for byte in range(256)]

    @cached_property
    def _plain(self) -> tokenizers.Tokenizer:
        """The same vocabulary, but special tokens are not looked for."""
        return _changed(self._backend, added_tokens=[])

    @cached_property
    def _literal(self) -> tokenizers.Tokenizer:
        """Neither are special tokens looked for nor is anything normalised."""
        return _changed(self._backend, added_tokens=[], normalizer=None)

    def files(self) -> dict[str, bytes]:
        """The files, by name, from which transformers and vLLM make the same tokenizer."""
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": END_OF_TEXT,
            "eos_token": IM_END,
            "pad_token": PAD,
            "clean_up_tokenization_spaces": False,
        }
        described = self._backend.to_str(pretty=True) + "\n"
        return {
            _FILE: described.encode("utf-8"),
            "tokenizer_config.json": json.dumps(config, indent=2).encode() + b"\n",
        }

    def save(self, folder: Path) -> None:
        """Write `files()` into the folder, created if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self.files().items():
            write_whole(folder / name, data)

    @classmethod
    def load(cls, folder: Path, foreign: bool = False) -> Self:
        """The tokenizer of a folder; with `foreign` also another project's, if it is byte-level BPE.

        TokenizerError if its file is missing or broken, or has other special tokens and is not to be `foreign`.
        """
        file = folder / _FILE
        try:
            description = file.read_bytes()
        except FileNotFoundError as error:
            raise TokenizerError(f"{folder} holds no {_FILE}") from error
        backend = _backend(description, file)
        if not foreign:
            _check_special_tokens(backend, file)
        return cls(backend)


class StreamDecoder:
    """Ids in, one at a time; text out, as soon as it is whole.

    What has come out, joined, is `decode` of the ids. A character waits for its last byte, and a syllable written in
    jamo for what follows it, so a reader never sees half a syllable; U+FFFD only stands for bytes that stay broken.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def push(self, id_: int) -> str:
        """The text that this id completes, often empty. ValueError if it is not in the vocabulary."""
        text = self._held + self._characters.decode(self._tokenizer.bytes_of(id_))
        open_syllable = _OPEN_SYLLABLE.search(text)
        whole = open_syllable.start() if open_syllable else len(text)
        self._held = text[whole:]
        return text[:whole]

    def flush(self) -> str:
        """What was held back; the decoder is then as new."""
        text = self._held + self._characters.decode(b"", final=True)
        self._held = ""
        self._characters.reset()
        return text


def _encode_batch(backend: tokenizers.Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    ids: list[list[int]] = [[] for _ in texts]
    for group in _groups(texts):
        parts = [part for _, part in group]
        try:
            encodings = backend.encode_batch_fast(parts, add_special_tokens=False)
        except TypeError:  # so the library refuses a lone surrogate: say where it stands
            for part in parts:
                part.encode("utf-8")
            raise
        for (place, _), encoding in zip(group, encodings, strict=True):
            ids[place] += encoding.ids
    return ids


def _groups(texts: Sequence[str]) -> Iterator[list[tuple[int, str]]]:
    """Parts of texts, each with its text's place, in groups of about `_GROUP` characters."""
    group: list[tuple[int, str]] = []
    size = 0
    for place, text in enumerate(texts):
        for part in _parts(text):
            group.append((place, part))
            size += len(part)
            if size >= _GROUP:
                yield group
                group, size = [], 0
    if group:
        yield group


def _parts(text: str) -> Iterator[str]:
    """A long text cut where lines begin. No piece of the pre-tokenizer crosses that place, so the ids are the same."""
    start = 0
    while line := _LINE_START.search(text, start + _GROUP):
        yield text[start : line.start()]
        start = line.start()
    yield text[start:]


def _changed(backend: tokenizers.Tokenizer, **parts: object) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_str(json.dumps(json.loads(backend.to_str()) | parts))


def _backend(description: bytes, file: Path) -> tokenizers.Tokenizer:
    try:
        backend = tokenizers.Tokenizer.from_str(description.decode("utf-8"))
    except Exception as error:  # the library raises nothing narrower
        raise TokenizerError(f"{file} is not a tokenizer file: {error}") from error
    return backend


def _check_special_tokens(backend: tokenizers.Tokenizer, file: Path) -> None:
    for id_, token in enumerate(SPECIAL_TOKENS):
        if backend.token_to_id(token) != id_:
            raise TokenizerError(f"{file} is not of this project: {token} should have id {id_}")


def _token_bytes(backend: tokenizers.Tokenizer) -> tuple[bytes, ...]:
    """By id; an id that no token has stands for no bytes."""
    byte_of = {character: byte for byte, character in enumerate(byte_characters())}
    named = {id_: token.content.encode("utf-8") for id_, token in backend.get_added_tokens_decoder().items()}
    vocabulary = {id_: token for token, id_ in backend.get_vocab().items() if id_ not in named}
    try:
        spelt = {id_: bytes(byte_of[character] for character in token) for id_, token in vocabulary.items()}
    except KeyError as error:
        raise TokenizerError(f"the tokenizer is not byte-level BPE: no byte is written as {error}") from error
    found = spelt | named
    return tuple(found.get(id_, b"") for id_ in range(max(found) + 1))


def byte_characters() -> list[str]:
    """The visible character by which byte-level BPE writes each byte (the convention of GPT-2).

    Printable Latin-1 stands for itself, the other bytes in turn for U+0100, U+0101 …
    """
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    characters, hidden = [], 0x100
    for byte in range(256):
        characters.append(chr(byte if byte in visible else hidden))
        hidden += byte not in visible
    return characters
