"""Cleaning text: our steps against the filters of datatrove's FineWeb example, on the same files.

    python benchmarks/corpus.py FILE.jsonl.zst … [--megabytes 8] [--rounds 5] [--record]

Both sides take the same documents from memory, in one process on one core, each round one after the other in turns;
CPU time counts, and only of the steps: reading and writing files are left out on both sides. Lines of JSON: MB/s of
UTF-8 text per core, best and median of the rounds, how much each keeps, and the ratio to the slowest of the chains.

Chains, each the comparable set of what is there:

    ours         text form, then those of our language and quality filters that are installed (`OURS`)
    ours, with privacy and the search for copies    all steps of recipes/corpus/korean.toml; datatrove's example looks
                 for copies in pipelines of their own, which are not measured here (see benchmarks/dedup.py)
    datatrove    Gopher repetition, Gopher quality, C4 quality and FineWeb quality (`FILTERS`) as its example sets them,
                 with its own word tokenizer: Kiwi for Korean (the model that Kiwi's package now holds), spaCy for
                 --language en. English stop words, and words of three letters on average, are not asked of Korean
    datatrove, words by spaces    the same with its tokenizer that splits at white space: what the filters cost without
                 the morphological analysis

A document that is dropped is not looked at by the filters after it, so read the speed together with `kept_share`.
Its language filter needs a model from the network and is left out; so is its URL filter, since these texts have none.
Needs: pip install "axk1[corpus]" kiwipiepy spacy regex
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from datatrove.utils.word_tokenizers import KiwiTokenizer, WhitespaceTokenizer, WordTokenizer
from machine import record

from axk1 import registry
from axk1.corpus.documents import Document
from axk1.corpus.mix import utf8_length
from axk1.corpus.readers import read
from axk1.corpus.source import Source
from axk1.corpus.steps import StepEntry, chained, make_steps

OURS: tuple[str, ...] = ("newlines", "nfc", "korean_text", "drop_empty", "language", "quality")
RECIPE = ("newlines", "nfc", "privacy", *OURS[2:], "exact_dedup", "near_dedup", "repeated_text")
FILTERS = ("GopherRepetitionFilter", "GopherQualityFilter", "C4QualityFilter", "FineWebQualityFilter")
OPTIONS: Mapping[str, Mapping[str, Any]] = {"C4QualityFilter": {"filter_no_terminal_punct": False}}  # as in its example
KOREAN = {"min_stop_words": None, "min_avg_word_length": 1}


def datatrove_steps(language: str | WordTokenizer, quality: Mapping[str, Any]) -> list[StepEntry]:
    return [
        {
            "name": "datatrove",
            "block": f"datatrove.pipeline.filters:{name}",
            "options": {
                **OPTIONS.get(name, {}),
                **(quality if name == "GopherQualityFilter" else {}),
                "language": language,
            },
        }
        for name in FILTERS
    ]


def chains(language: str) -> dict[str, list[StepEntry]]:
    known, quality = registry.names("corpus_step"), KOREAN if language == "ko" else {}
    return {
        "ours": [name for name in OURS if name in known],
        "ours, with privacy and the search for copies": list(RECIPE),
        "datatrove": datatrove_steps(KiwiTokenizer("cong") if language == "ko" else "eng", quality),
        "datatrove, words by spaces": datatrove_steps(WhitespaceTokenizer(), quality),
    }


def documents_of(paths: list[Path], megabytes: float) -> list[Document]:
    """The same share of every file."""
    taken: list[Document] = []
    for path in paths:
        left = megabytes * 1e6 / len(paths)
        for document in read(Source(str(path)), lambda _document, _reason: None):
            left -= utf8_length(document.text)
            taken.append(document)
            if left < 0:
                break
    return taken


def run(entries: list[StepEntry], documents: list[Document]) -> Callable[[], int]:
    """A function that takes the documents through the steps and gives how many bytes of text are kept."""

    def once() -> int:
        steps = make_steps(entries)  # anew, for those that look for copies remember
        fresh: Iterator[Document] = (replace(one) for one in documents)
        return sum(utf8_length(one.text) for one in chained(steps, fresh, lambda _document, _step, _reason: None))

    return once


def main() -> None:
    options = parsed()
    documents = documents_of(options.files, options.megabytes)
    size = sum(utf8_length(one.text) for one in documents) / 1e6
    sides = {name: run(entries, documents) for name, entries in chains(options.language).items()}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    kept = dict.fromkeys(sides, 0)
    warm = documents[:20]
    for entries in chains(options.language).values():  # models are loaded and expressions compiled at the first use
        run(entries, warm)()
    for number in range(options.rounds):
        for name in list(sides)[:: 1 if number % 2 else -1]:
            began = time.process_time()
            kept[name] = sides[name]()
            seconds[name].append(time.process_time() - began)
    report(options, documents, size, seconds, kept)


def report(
    options: argparse.Namespace,
    documents: list[Document],
    size: float,
    seconds: dict[str, list[float]],
    kept: dict[str, int],
) -> None:
    slowest = max(min(one) for one in seconds.values())
    results = [
        {
            "chain": name,
            "steps": [one if isinstance(one, str) else one["block"].rpartition(":")[2] for one in entries],
            "documents": len(documents),
            "megabytes": round(size, 2),
            "best_mb_s": round(size / min(seconds[name]), 3),
            "median_mb_s": round(size / statistics.median(seconds[name]), 3),
            "ratio": round(slowest / min(seconds[name]), 2),
            "kept_share": round(kept[name] / size / 1e6, 3),
            "rounds": options.rounds,
        }
        for name, entries in chains(options.language).items()
    ]
    for one in results:
        print(json.dumps(one, ensure_ascii=False))
    if options.record:
        record("corpus", results, [arg if not Path(arg).exists() else Path(arg).name for arg in sys.argv[1:]])


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="our corpus steps against datatrove's")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--language", choices=("ko", "en"), default="ko")
    parser.add_argument("--megabytes", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results/corpus.jsonl")
    return parser.parse_args()


if __name__ == "__main__":
    main()
