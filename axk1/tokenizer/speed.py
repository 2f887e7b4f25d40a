"""How fast a tokenizer encodes: by the `tokenizers` library, and by `gigatoken` (extra `study`) if that is there."""

import importlib
import importlib.util
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from axk1.tokenizer.foreign import AnyTokenizer

__all__ = ["Speed", "speeds"]

_TRIES = 3


@dataclass(frozen=True)
class Speed:
    """Megabytes of text a second on all cores, best of three; whether the ids are those of `tokenizers`."""

    encoder: str
    megabytes_per_second: float
    same_ids: bool
    refused: str = ""  # why the encoder does not open this tokenizer


def speeds(tokenizer: AnyTokenizer, texts: Sequence[str]) -> tuple[Speed, ...]:
    """Of every encoder that is installed."""
    size = sum(len(text.encode("utf-8")) for text in texts) / 1e6
    batch, seconds = list(texts), []
    for _ in range(_TRIES):
        start = perf_counter()
        wanted = tokenizer.backend.encode_batch_fast(batch, add_special_tokens=False)
        seconds.append(perf_counter() - start)
    measured = (Speed("tokenizers", size / min(seconds), same_ids=True),)
    if importlib.util.find_spec("gigatoken") is None:
        return measured
    return (*measured, _gigatoken(tokenizer, batch, [encoding.ids for encoding in wanted], size))


def _gigatoken(tokenizer: AnyTokenizer, texts: list[str], wanted: list[list[int]], size: float) -> Speed:
    library = importlib.import_module("gigatoken")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tokenizer.json"
        file.write_text(json.dumps(tokenizer.described, ensure_ascii=False), encoding="utf-8")
        try:
            encoder = library.Tokenizer(str(file))
            seconds = []
            for _ in range(_TRIES):
                start = perf_counter()
                found = encoder.encode_batch(texts)
                seconds.append(perf_counter() - start)
        except Exception as error:  # noqa: BLE001 (whatever it raises is its answer)
            return Speed("gigatoken", 0.0, same_ids=False, refused=str(error).strip().partition("\n")[0])
    same = all(list(ids) == one for ids, one in zip(found, wanted, strict=True))
    return Speed("gigatoken", size / min(seconds), same)
