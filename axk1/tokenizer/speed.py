"""How fast a tokenizer encodes: by the `tokenizers` library, and by `kitoken` and `gigatoken` if they are there."""

import importlib
import importlib.util
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from axk1.tokenizer.foreign import AnyTokenizer

__all__ = ["Speed", "speeds"]

_TRIES = 3
Encode = Callable[[list[str]], Any]
"""Texts → a row of ids of each."""


@dataclass(frozen=True)
class Speed:
    """Megabytes of text a second, best of three; whether the ids are those of `tokenizers`.

    All cores are used, but by `kitoken`, which knows one.
    """

    encoder: str
    megabytes_per_second: float
    same_ids: bool
    refused: str = ""  # why the encoder does not open this tokenizer


def speeds(tokenizer: AnyTokenizer, texts: Sequence[str]) -> tuple[Speed, ...]:
    """Of every encoder that is installed."""
    size = sum(len(text.encode("utf-8")) for text in texts) / 1e6
    batch = list(texts)
    found, seconds = _timed(lambda some: tokenizer.backend.encode_batch_fast(some, add_special_tokens=False), batch)
    wanted = [encoding.ids for encoding in found]
    measured = [Speed("tokenizers", size / seconds, same_ids=True)]
    for name, opened in _OTHERS.items():
        if importlib.util.find_spec(name) is not None:
            measured.append(_other(name, opened, tokenizer, batch, wanted, size))
    return tuple(measured)


def _other(
    name: str,
    opened: Callable[[Any, Path], Encode],
    tokenizer: AnyTokenizer,
    texts: list[str],
    wanted: list[list[int]],
    size: float,
) -> Speed:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tokenizer.json"
        file.write_text(json.dumps(tokenizer.described, ensure_ascii=False), encoding="utf-8")
        try:
            found, seconds = _timed(opened(importlib.import_module(name), file), texts)
        except Exception as error:  # noqa: BLE001 (whatever it raises is its answer)
            return Speed(
                name, 0.0, same_ids=False, refused=str(error).strip().partition("\n")[0] or type(error).__name__
            )
    same = all(list(ids) == one for ids, one in zip(found, wanted, strict=True))
    return Speed(name, size / seconds, same)


def _timed(encode: Encode, texts: list[str]) -> tuple[Any, float]:
    """What it gives, and the seconds of the fastest try."""
    seconds = []
    for _ in range(_TRIES):
        start = perf_counter()
        found = encode(texts)
        seconds.append(perf_counter() - start)
    return found, min(seconds)


def _kitoken(library: Any, file: Path) -> Encode:
    encoder = library.Kitoken.from_tokenizers_file(str(file))
    return lambda texts: encoder.encode_all(texts, encode_specials=True)  # as `tokenizers` does


def _gigatoken(library: Any, file: Path) -> Encode:
    return library.Tokenizer(str(file)).encode_batch  # type: ignore[no-any-return]


_OTHERS: Mapping[str, Callable[[Any, Path], Encode]] = {"kitoken": _kitoken, "gigatoken": _gigatoken}
