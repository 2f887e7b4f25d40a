"""The texts of `benchmarks/tokenizer.py`: kinds, how much of each trains, which documents measure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from axk1.corpus.documents import Document
from axk1.corpus.mix import mixed
from axk1.corpus.readers import read
from axk1.corpus.source import Source

HELD_OUT = 40  # one document in so many of a kind without a file of its own to measure
KIND_BYTES = 500_000  # of each kind are measured


@dataclass(frozen=True)
class Kind:
    """Files of a folder's train/ and eval/, and how many megabytes of the first are trained on.

    Without `held_back` one document in 40 measures and is not trained on; without `trained` nothing is. `domain` is
    what kinds are averaged over, each counted alike; "" is not measured.
    """

    name: str
    domain: str
    trained: str = ""
    megabytes: float = 0
    held_back: str = ""
    fields: tuple[str, ...] = ("text",)


def code(language: str, megabytes: float) -> Kind:
    """As `code_text.py` writes it."""
    file = f"code_{language}"
    return Kind(file, "code" if megabytes else "code, new languages", file if megabytes else "", megabytes, file)


KINDS: Sequence[Kind] = (
    Kind("documentation", "korean", "ko_docs", 18, "lm_docs"),
    Kind("statutes", "korean", "ko_law", 18, "lm_law"),
    Kind("microsoft", "korean", "ko_msdocs", 24, "lm_msdocs"),
    Kind("decisions", "korean", "ko_precedent_supreme", 18, "lm_precedent_supreme"),
    Kind("prose", "korean", "ko_ud_prose", 4, "lm_prose"),
    Kind("reviews", "korean", "ko_reviews_nsmc", 18, "lm_reviews"),
    Kind("chat", "", "ko_chat_qa", 2, fields=("q", "a")),
    Kind("intents", "", "ko_intent_3i4k", 3),
    Kind("english", "english", "en_docs", 15),
    Kind("problems", "", "en_gsm8k_train", 2, fields=("question", "answer")),
    Kind("prompts", "english, new kind", held_back="ifeval_en", fields=("prompt",)),
    Kind("pairs", "", "par_en_ko_docs", 5, fields=("en", "ko")),
    *(code(language, 6) for language in ("c", "cpp", "go", "javascript", "perl", "python", "rust", "typescript")),
    *(code(language, 0) for language in ("java", "php", "ruby")),
)


def training_texts(folders: Sequence[Path], left_out: str, share: float, domain: str = "") -> Iterator[str]:
    """Of every kind (of the domain, if one is named) but the one left out (a kind or a domain): a sample of `share` of
    its megabytes."""
    for kind in KINDS:
        if kind.trained and left_out not in (kind.name, kind.domain) and domain in ("", kind.domain):
            for file in _files(folders, f"train/{kind.trained}"):
                source = Source(str(file), fields=kind.fields, max_bytes=int(kind.megabytes * share * 1e6))
                for document in mixed(source, None, 0, _refuse):
                    if kind.held_back or not kind.domain or not _is_held_out(document.text):
                        yield document.text


def measured_texts(folders: Sequence[Path]) -> dict[str, list[str]]:
    """By kind, the first half megabyte of documents that no tokenizer is trained on."""
    found: dict[str, list[str]] = {}
    for kind in KINDS:
        if kind.domain:
            name = f"eval/{kind.held_back}" if kind.held_back else f"train/{kind.trained}"
            texts = [text for file in _files(folders, name) for text in _first(file, kind)]
            found |= {kind.name: texts} if texts else {}
    return found


def domains(kinds: Sequence[str]) -> dict[str, list[str]]:
    """The kinds of each domain, of those that are there."""
    found: dict[str, list[str]] = {}
    for kind in KINDS:
        if kind.name in kinds:
            found.setdefault(kind.domain, []).append(kind.name)
    return found


def _files(folders: Sequence[Path], name: str) -> list[Path]:
    return [file for folder in folders if (file := folder / f"{name}.jsonl.zst").exists()]


def _first(file: Path, kind: Kind) -> Iterator[str]:
    left = KIND_BYTES
    for document in read(Source(str(file), fields=kind.fields), _refuse):
        if left > 0 and (kind.held_back or _is_held_out(document.text)):
            left -= len(document.text.encode("utf-8"))
            yield document.text


def _refuse(document: Document, reason: str) -> None:
    raise AssertionError(f"{reason}: {document.id}")  # bad_records = "stop" raises before


def _is_held_out(text: str) -> bool:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:4], "little") % HELD_OUT == 0
