"""The tokenizers of `benchmarks/tokenizer.py`: ours in their variants, Kiwi's own, and peers, all measured alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from kiwipiepy import Kiwi
from kiwipiepy.sw_tokenizer import SwTokenizer, SwTokenizerConfig

from axk1.runs import whole_folder, write_whole
from axk1.tokenizer.foreign import AnyTokenizer, read_description
from axk1.tokenizer.pieces import Pieces
from axk1.tokenizer.train import train

LARGE = Pieces(newlines="joined", indentation="whole", opener="any")  # what large vocabularies are trained with


@dataclass(frozen=True)
class Variant:
    """A tokenizer to train, and the sizes to measure it at. `left_out`: a kind or domain that it is trained without."""

    name: str
    sizes: tuple[int, ...] = (32_768, 65_536, 163_840)
    pieces: Pieces = LARGE
    superwords_from: int = 0
    left_out: str = ""


class Cut(NamedTuple):
    """What `axk1.tokenizer.measures` reads of an encoding: ids, and the characters from … to of each."""

    ids: list[int]
    offsets: list[tuple[int, int]]


class KiwiTokenizer:
    """Kiwi's subword tokenizer (unigrams over its morphemes), as the measures want one."""

    def __init__(self, file: Path) -> None:
        self.name = file.parent.name
        self._tokenizer = SwTokenizer(str(file), kiwi=Kiwi(load_multi_dict=False))
        self.vocab_size = len(self._tokenizer)
        self.backend = self

    def encode(self, texts: Iterable[str]) -> list[Cut]:
        found = (self._tokenizer.encode(text, return_offsets=True) for text in texts)
        return [Cut(list(map(int, ids)), [(int(a), int(b)) for a, b in offsets]) for ids, offsets in found]

    def decode(self, ids: Iterable[int], skip_special_tokens: bool) -> str:  # noqa: ARG002
        return self._tokenizer.decode(ids)


def trained(variant: Variant, share: float, texts: Callable[[], Iterator[str]], folder: Path) -> list[AnyTokenizer]:
    """At each of its sizes; trained where the folder does not hold it yet."""
    place = folder / variant.name
    settings = {**asdict(variant), "share": share, "sizes": max(variant.sizes)}
    if not place.exists():
        with whole_folder(place) as made:
            train(texts(), max(variant.sizes), variant.pieces, variant.superwords_from).save(made)
            write_whole(made / "variant.json", json.dumps(settings) + "\n")
    elif json.loads((place / "variant.json").read_text(encoding="utf-8")) != settings:
        raise ValueError(f"{place} was trained with other settings: remove it, or name another folder")
    described = read_description(place / "tokenizer.json")
    return [AnyTokenizer(f"{variant.name} {size:,}", shortened(described, size)) for size in variant.sizes]


def shortened(described: dict[str, Any], size: int) -> dict[str, Any]:
    """The first `size` entries of a BPE without superwords: what training with that size gives."""
    model = described["model"]
    vocabulary = {token: id_ for token, id_ in model["vocab"].items() if id_ < size}
    merges = [merge for merge in model["merges"] if merge[0] + merge[1] in vocabulary]
    return {**described, "model": {**model, "vocab": vocabulary, "merges": merges}}


def kiwi(sizes: Sequence[int], texts: Callable[[], Iterator[str]], folder: Path) -> list[KiwiTokenizer]:
    """Kiwi's own trainer on as much of the Korean texts as it can take, lossless as far as its options go."""
    place = folder / "kiwi"
    if not place.exists():
        with whole_folder(place) as made:
            for size in sizes:
                (made / f"kiwi {size:,}").mkdir()
            lines = [line for text in texts() for line in text.split("\n") if line.strip()]
            config = SwTokenizerConfig(fallback_byte=True, use_newline_token=True)
            files = [str(made / f"kiwi {size:,}" / "kiwi.json") for size in sizes]
            SwTokenizer.train(files, lines, config, list(sizes))
    return [KiwiTokenizer(place / f"kiwi {size:,}" / "kiwi.json") for size in sizes]


def peers(folder: Path) -> list[AnyTokenizer]:
    """Every tokenizer.json in a folder of this folder."""
    return [AnyTokenizer.load(file) for file in sorted(folder.glob("*/tokenizer.json"))]
