"""Near deduplication of Korean, ours beside datatrove's MinHash and other signature libraries, in one run.

    PYTHONPATH=tests python benchmarks/dedup.py [FILE.jsonl.zst …] [--documents 300] [--save]

Of every document (of the files' field "text", or made up without files) one copy of each kind is planted: other
particles, spacing, typing errors, order, a frame around it. What looks alike but is not: statutes and decisions of one
form with contents of their own, and the documents among each other. The table tells the share of copies found per kind
and of the others dropped. Times are process time of one thread, each the best of three rounds in turn. Peers are left
out where they are not installed: pip install "datatrove[processing]" spacy rensa datasketch.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from axk1.corpus.dedup.minhash import Bands, bands_for, signature, similarity
from axk1.corpus.dedup.near import NearDedup, NearDedupSettings
from axk1.corpus.dedup.shingles import letters, ngram_hashes
from axk1.corpus.documents import Document
from axk1.corpus.streams import lines_of
from korean_copies import COPIES, judgement, statute, story

RESULTS = Path(__file__).parent / "results" / "dedup.jsonl"
THRESHOLDS = (0.7, 0.75, 0.8, 0.85, 0.9)
LENGTHS = range(400, 8000)  # characters of a document that is taken
ROUNDS = 3

Drops = Callable[[list[str]], list[int]]
"""Texts → the numbers of those dropped, the first of several equal ones stays."""


def main() -> None:
    """Plant, let every contender drop, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    groups = planted(options.files, options.documents)
    lines = [quality(name, drops, groups) for name, drops in contenders().items()]
    lines += speeds([text for texts in groups.values() for text in texts])
    for line in lines:
        print(json.dumps(line, ensure_ascii=False))
    if options.save:
        with open(RESULTS, "a", encoding="utf-8") as file:
            about = {"command": " ".join(sys.argv[:1]), "python": sys.version.split()[0], "numpy": np.__version__}
            file.writelines(json.dumps({**line, **about}, ensure_ascii=False) + "\n" for line in lines)
    print(json.dumps({f"S-curve at {t}": curve(bands_for(t)) for t in THRESHOLDS}))


def planted(files: list[Path], count: int) -> dict[str, list[str]]:
    """Kind → texts, in corpus order: originals, others that look alike, then copies of the originals."""
    rng = random.Random(0)
    originals = list(itertools.islice(taken(files), count)) if files else [story(rng) for _ in range(count)]
    groups = {"original": originals}
    groups |= {make.__name__: [make(rng) for _ in range(count)] for make in (statute, judgement)}
    return groups | {kind: [change(text, rng) for text in originals] for kind, change in COPIES.items()}


def taken(files: list[Path]) -> Iterator[str]:
    """One document of each file in turn."""
    texts = [(json.loads(line.data)["text"] for line in lines_of(path)) for path in files]
    for row in zip(*texts, strict=False):
        yield from (text for text in row if len(text) in LENGTHS)


def quality(name: str, drops: Drops, groups: dict[str, list[str]]) -> dict[str, Any]:
    """The share dropped per kind. A copy is dropped as a copy of anything before it, its original or a sister."""
    row: dict[str, Any] = {"contender": name}
    kept = [text for kind in ("original", "statute", "judgement") for text in groups[kind]]
    gone = set(drops(kept))
    begin = 0
    for kind in ("original", "statute", "judgement"):
        end = begin + len(groups[kind])
        row[f"wrong: {kind}"] = round(sum(number in gone for number in range(begin, end)) / len(groups[kind]), 4)
        begin = end
    for kind in COPIES:
        texts = groups["original"] + groups[kind]
        found = [number for number in drops(texts) if number >= len(groups["original"])]
        row[kind] = round(len(found) / len(groups[kind]), 4)
    return row


def contenders() -> dict[str, Drops]:
    """By name; datatrove's with the tokenizer of its default language."""
    ours: dict[str, Drops] = {f"axk1 5 letters, {threshold}": letter_drops(threshold) for threshold in THRESHOLDS}
    words: dict[str, Drops] = {f"5 eojeol, {threshold}": word_drops(5, threshold) for threshold in (0.7, 0.8)}
    words["2 eojeol, 0.8"] = word_drops(2, 0.8)
    return ours | words | datatrove_drops()


def letter_drops(threshold: float) -> Drops:
    def drops(texts: list[str]) -> list[int]:
        rejected: list[int] = []
        step = NearDedup(NearDedupSettings(threshold=threshold))
        documents = (Document(text, str(number), "") for number, text in enumerate(texts))
        for _ in step(documents, lambda document, _reason: rejected.append(int(document.id))):
            pass
        return rejected

    return drops


def word_drops(n: int, threshold: float) -> Drops:
    """The same signatures and bands over eojeol n-grams."""

    def drops(texts: list[str]) -> list[int]:
        bands, kept, dropped = bands_for(threshold), dict[bytes, Any](), []
        for number, text in enumerate(texts):
            words = [word.encode() for word in re.findall(r"\w+", text.lower())]
            codes = np.array([int.from_bytes(word[-8:], "little") * 2654435761 >> 7 & 0xFFFFFFFF for word in words])
            signed = signature(ngram_hashes(codes.astype(np.uint32), n))
            digests = bands.digests(signed)
            if any(digest in kept and similarity(signed, kept[digest]) >= threshold for digest in digests):
                dropped.append(number)
            else:
                kept |= {digest: signed for digest in digests if digest not in kept}
        return dropped

    return drops


def datatrove_drops() -> dict[str, Drops]:
    """Its default: 14 bands of 8 hashes, n-grams of 5 words."""
    try:
        minhash = importlib.import_module("datatrove.pipeline.dedup.minhash")
    except ImportError:
        return {}
    signer = minhash.MinhashDedupSignature("signatures")
    of_bytes = signer._hash_func
    signer._hash_func = lambda shingle: of_bytes(shingle.encode())  # xxhash from release 4 on takes no text

    def drops(texts: list[str]) -> list[int]:
        held, dropped = set[Any](), []
        for number, text in enumerate(texts):
            shingles = signer.get_shingles(text)
            found = (
                [(band, *values) for band, values in enumerate(signer.get_signature(shingles))] if len(shingles) else []
            )
            if any(one in held for one in found):
                dropped.append(number)
            held.update(found)  # as there: clusters are joined through dropped documents too
        return dropped

    return {"datatrove 5 words": drops}


def speeds(texts: list[str]) -> list[dict[str, Any]]:
    """MB/s of UTF-8 text; signatures alone for the libraries that make nothing else."""
    size = sum(len(text.encode()) for text in texts) / 1e6
    calls: dict[str, Callable[[], object]] = {
        "axk1: the whole step": lambda: letter_drops(0.8)(texts),
        "axk1: signatures": lambda: [signature(ngram_hashes(letters(text).codes, 5)) for text in texts],
        **{f"{name}: signatures": lambda drop=drop: drop(texts) for name, drop in datatrove_drops().items()},
        **library_calls(texts),
    }
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            began = time.process_time()
            call()
            best[name] = min(best[name], time.process_time() - began)
    return [{"speed": name, "MB/s": round(size / seconds, 2)} for name, seconds in best.items()]


def library_calls(texts: list[str]) -> dict[str, Callable[[], object]]:
    """128 hashes over the same 5 letters; both libraries want the shingles as Python strings or bytes."""

    def shingles(text: str) -> list[str]:
        spelled = "".join(map(chr, letters(text).codes))
        return [spelled[start : start + 5] for start in range(len(spelled) - 4)]

    calls: dict[str, Callable[[], object]] = {}
    try:
        rensa = importlib.import_module("rensa")
        calls["rensa: signatures"] = lambda: [
            rensa.RMinHash.from_token_sets([shingles(text)], num_perm=128, seed=1) for text in texts
        ]
    except ImportError:
        pass
    try:
        sketch = importlib.import_module("datasketch")

        def one(text: str) -> object:
            made = sketch.MinHash(num_perm=128)
            made.update_batch([shingle.encode() for shingle in shingles(text)])
            return made

        calls["datasketch: signatures"] = lambda: [one(text) for text in texts]
    except ImportError:
        pass
    return calls


def curve(bands: Bands) -> dict[str, float]:
    """That two texts of a similarity are compared at all."""
    return {
        "rows": bands.rows,
        **{f"{jaccard / 20:.2f}": round(bands.probability(jaccard / 20), 4) for jaccard in range(8, 21)},
    }


if __name__ == "__main__":
    main()
