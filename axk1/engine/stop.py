"""Where a completion ends, and which of its text may already be seen.

A stop text is never seen, nor is what may yet become one. Characters wait for their last byte and syllables in jamo for
what follows (`StreamDecoder`). Bytes that never become a character are left out: nobody sees half a syllable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from axk1.checkpoint import CheckpointError, CheckpointFolder
from axk1.checkpoint.folder import read_object
from axk1.tokenizer.tokenizer import StreamDecoder, Tokenizer

__all__ = ["FinishReason", "StopText", "TextStream", "eos_ids"]

FinishReason = Literal["stop", "length", "cancelled"]


class StopText:
    """Text in, in pieces; out comes what is certainly before any of the stop texts."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.found: str | None = None

    def push(self, text: str) -> str:
        """The text that may be seen now; nothing more once a stop text is `found`."""
        if self.found is not None:
            return ""
        text = self._held + text
        places = [(text.find(stop), stop) for stop in self._stops if stop in text]
        if places:
            at, self.found = min(places)
            self._held = ""
            return text[:at]
        seen = len(text) - max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[seen:]
        return text[:seen]

    def flush(self) -> str:
        """What was held back, when no text follows any more."""
        text, self._held = self._held, ""
        return text


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of the text with which the stop text begins."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if stop.startswith(text[-size:])), 0)


class TextStream:
    """Ids in, text out, up to the first stop text; with `behind`, stop texts count behind that token only. Without a
    tokenizer there is no text."""

    def __init__(self, tokenizer: Tokenizer | None, stops: Sequence[str], behind: int | None = None) -> None:
        self._tokenizer = tokenizer
        self._behind = behind if stops else None
        self._decoder = None if tokenizer is None else StreamDecoder(tokenizer)
        self._stop = StopText(stops)

    @property
    def found(self) -> str | None:
        """The stop text that ended the completion."""
        return self._stop.found

    def push(self, token: int) -> str:
        """The text that this id completes. Control tokens have none, nor have ids that the tokenizer does not know: a
        model's vocabulary may be padded."""
        if self._decoder is None or self._tokenizer is None:
            return ""
        if token in self._tokenizer.control_ids or token >= self._tokenizer.vocab_size:
            text = self._decoder.flush()
        else:
            text = self._decoder.push(token)
        text = _whole(text)
        if self._behind is None:
            return self._stop.push(text)
        if token == self._behind:
            self._behind = None
        return text

    def flush(self) -> str:
        """What was held back, at the end; a stop text may still be found in it."""
        rest = "" if self._decoder is None else _whole(self._decoder.flush())
        if self._behind is not None:
            return rest
        return self._stop.push(rest) + self._stop.flush()


def _whole(text: str) -> str:
    """Without what stands for broken bytes."""
    return text.replace("\ufffd", "") if "\ufffd" in text else text


def eos_ids(folder: CheckpointFolder) -> frozenset[int]:
    """The ids that end a completion: those of generation_config.json, else of config.json. CheckpointError."""
    path = folder.path / "generation_config.json"
    if not path.is_file():
        return frozenset(folder.config.eos_token_ids)
    found = read_object(path).get("eos_token_id")
    ids = found if isinstance(found, list) else [] if found is None else [found]
    if not all(isinstance(one, int) for one in ids):
        raise CheckpointError(f"{path}: eos_token_id must be a token id or a list of them, found {found!r}")
    return frozenset(ids) or frozenset(folder.config.eos_token_ids)
