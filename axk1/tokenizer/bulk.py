"""Many documents to ids: by the package `kitoken` (extra `fast`) where it is installed, else by `tokenizers`.

`kitoken` gives the same ids some three times as fast on a core. It reads our files as they are but for two things: its
tables for NFC are of another version of Unicode, so texts reach it in NFC already; and it knows one thread, so several
run here (it lets go of Python's lock).
"""

import importlib
import importlib.util
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tokenizers import normalizers

from axk1.tokenizer.tokenizer import Tokenizer, TokenizerError

__all__ = ["BulkEncoder"]

_NFC = normalizers.NFC()
_AT_ONCE = 1 << 16  # characters that a thread takes at once
_COMPARED = 1 << 16  # characters of the first texts that `tokenizers` encodes too


class BulkEncoder:
    """Documents → ids, those of `Tokenizer.encode_batch(…, special_tokens=False)`.

    The first texts are encoded by both libraries and compared. `library` is the package at work.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._fast = _opened(tokenizer)
        self._compared = False
        self._threads = int(os.environ.get("RAYON_NUM_THREADS", "0")) or os.cpu_count() or 1

    @property
    def library(self) -> str:
        """`kitoken` or `tokenizers`."""
        return "tokenizers" if self._fast is None else "kitoken"

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text. ValueError for a lone surrogate; TokenizerError if the two libraries do not agree."""
        if self._fast is None:
            return self._tokenizer.encode_batch(texts, special_tokens=False)
        groups = _groups([_normal(text) for text in texts])
        with ThreadPoolExecutor(self._threads) as pool:
            ids = [row for rows in pool.map(self._fast.encode_all, groups) for row in rows]
        if not self._compared:
            self._compare(texts, ids)
        return ids

    def _compare(self, texts: Sequence[str], ids: Sequence[list[int]]) -> None:
        self._compared = True
        first, size = list[str](), 0
        for text in texts:
            size += len(text)
            if size > _COMPARED:
                break
            first.append(text)
        if self._tokenizer.encode_batch(first, special_tokens=False) != list(ids[: len(first)]):
            raise TokenizerError(
                "kitoken and tokenizers give different ids: uninstall kitoken, and tell us its version"
            )


def _opened(tokenizer: Tokenizer) -> Any:
    """None without the package, and for a tokenizer that is not put into NFC and no other form."""
    described = json.loads(tokenizer.files()["tokenizer.json"])
    if importlib.util.find_spec("kitoken") is None or described["normalizer"] != {"type": "NFC"}:
        return None
    plain = json.dumps({**described, "normalizer": None, "added_tokens": []})
    return importlib.import_module("kitoken").Kitoken.from_tokenizers(plain.encode("utf-8"))


def _normal(text: str) -> str:
    if text.isascii():
        return text
    try:
        return _NFC.normalize_str(text)
    except TypeError:  # so the library refuses a lone surrogate: say where it stands
        text.encode("utf-8")
        raise


def _groups(texts: Sequence[str]) -> list[list[str]]:
    groups, size = [list[str]()], 0
    for text in texts:
        if size >= _AT_ONCE:
            groups.append([])
            size = 0
        groups[-1].append(text)
        size += len(text)
    return groups
