"""The stages before training: text → corpus → tokenizer → token shards."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from axk1.chat.template import render
from axk1.cli.job import Job
from axk1.config import to_mapping
from axk1.corpus.build import build
from axk1.corpus.documents import Document, read_documents
from axk1.corpus.exercise import Exercise
from axk1.corpus.exercise_file import read_exercises
from axk1.corpus.mix import utf8_length
from axk1.corpus.readers import read
from axk1.corpus.split import position
from axk1.corpus.streams import CorpusError
from axk1.data.conversation import messages_of, tools_of, write_conversations
from axk1.data.shards import TokenShards
from axk1.data.tokenize import tokenize
from axk1.tokenizer.special import SPECIAL_TOKENS
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.tokenizer.train import train

__all__ = ["EXERCISES_HELD_OUT", "VALIDATION", "held_out_shards", "make_corpus", "make_data", "make_tokenizer"]

TRAIN, HELD_OUT, EXERCISES = "train.jsonl.zst", "validation.jsonl.zst", "exercises_train.jsonl.zst"
EXERCISES_HELD_OUT = "exercises_validation.jsonl.zst"
CURRICULUM = "curriculum/"  # how the source of a generated document begins
VALIDATION: Mapping[str, str] = {"curriculum": "", "real": "real"}
"""Validation shards by folder, and the name of each in the measures: the curriculum's is simply "bits_per_byte"."""
OWN = "validation"  # the folder inside data/ of the recipe's own held-out files

_SPECIAL = re.compile("|".join(map(re.escape, SPECIAL_TOKENS)))


def make_corpus(job: Job) -> Mapping[str, Any]:
    """corpus/: documents and exercises, training and held-out."""
    with job.counting() as progress:
        report = build(job.recipe.corpus, job.folder("corpus"), progress)
    train, held_out = report.train, report.validation
    job.tell(
        f"문서 {train.documents:,}개({train.bytes / 1e6:,.1f} MB), 연습 문제 {report.exercises_train:,}개",
        f"{train.documents:,} documents ({train.bytes / 1e6:,.1f} MB), {report.exercises_train:,} exercises",
    )
    exercises = {"train": report.exercises_train, "held_out": report.exercises_validation}
    return {"train": to_mapping(train), "validation": to_mapping(held_out), "exercises": exercises}


def make_tokenizer(job: Job) -> Mapping[str, Any]:
    """tokenizer/: trained on a sample of documents and of conversations."""
    settings = job.recipe.tokenizer
    if settings.folder:
        return _copy_tokenizer(settings.folder, settings.vocab_size, job)
    there = job.run.summary("corpus")["train"]["bytes"]
    texts = _sample(job.folder("corpus"), settings.sample_bytes, settings.sample_bytes / max(there, 1))
    tokenizer = train(texts, settings.vocab_size, settings.pieces, settings.superwords_from)
    tokenizer.save(job.folder("tokenizer"))
    job.tell(f"어휘 {tokenizer.vocab_size:,}개", f"{tokenizer.vocab_size:,} entries")
    return {"vocab_size": tokenizer.vocab_size}


def make_data(job: Job) -> Mapping[str, Any]:
    """data/: shards for pre-training, for validation and, with exercises, for conversations."""
    corpus, data, tokenizer = job.folder("corpus"), job.folder("data"), Tokenizer.load(job.folder("tokenizer"))
    summary = {"pretrain": to_mapping(tokenize(_to_train(corpus), tokenizer, data / "pretrain"))}
    for name in VALIDATION:
        held_out = tokenize(_held_out(corpus, curriculum=name == "curriculum"), tokenizer, data / name)
        summary[name] = to_mapping(held_out)
    for file in job.recipe.data.validation:
        documents = read(file.source, _stop)
        summary[file.name] = to_mapping(tokenize(documents, tokenizer, data / OWN / file.name))
    if (corpus / EXERCISES).exists():
        share = job.recipe.data.thinking_share
        report = write_conversations(read_exercises(corpus / EXERCISES), tokenizer, data / "sft", share)
        summary["sft"] = to_mapping(report)
    counts = ", ".join(f"{name} {values['tokens']:,}" for name, values in summary.items())
    job.tell(f"토큰: {counts}", f"tokens: {counts}")
    return summary


def held_out_shards(job: Job) -> dict[str, TokenShards]:
    """Every validation set that has documents, by its name in the measures."""
    folders = {measure: job.folder("data") / name for name, measure in VALIDATION.items()}
    folders |= {one.name: job.folder("data") / OWN / one.name for one in job.recipe.data.validation}
    shards = {name: TokenShards.open(folder) for name, folder in folders.items()}
    return {name: part for name, part in shards.items() if len(part)}


def _copy_tokenizer(folder: Path, vocab_size: int, job: Job) -> Mapping[str, Any]:
    tokenizer = Tokenizer.load(folder)
    if tokenizer.vocab_size > vocab_size:
        raise ValueError(f"{folder}: the tokenizer has {tokenizer.vocab_size} entries, vocab_size is {vocab_size}")
    tokenizer.save(job.folder("tokenizer"))
    return {"vocab_size": tokenizer.vocab_size, "folder": str(folder)}


def _stop(document: Document, reason: str) -> None:
    raise CorpusError(f"{document.source}: {document.id}: {reason}")


def _to_train(corpus: Path) -> Iterator[Document]:
    return map(_of_one_curriculum, read_documents(corpus / TRAIN))


def _of_one_curriculum(document: Document) -> Document:
    """For the stages, the families of the curriculum are one source: they stand mixed with each other."""
    generated = document.source.startswith(CURRICULUM)
    return replace(document, source=CURRICULUM.rstrip("/")) if generated else document


def _sample(corpus: Path, sample_bytes: int, share: float) -> Iterator[str]:
    """This share of the documents, then as many bytes of conversations: both formats are to be short in tokens."""
    for document in read_documents(corpus / TRAIN):
        if position(document.text, "tokenizer") < share:
            yield document.text
    if (corpus / EXERCISES).exists():
        yield from _limited(map(_spoken, read_exercises(corpus / EXERCISES)), sample_bytes)


def _spoken(exercise: Exercise) -> str:
    """The conversation, cut where special tokens stand: no token may contain them."""
    return _SPECIAL.sub("\n", render(messages_of(exercise), tools_of(exercise), enable_thinking=True))


def _limited(texts: Iterator[str], limit: int) -> Iterator[str]:
    total = 0
    for text in texts:
        total += utf8_length(text)
        if total > limit:
            return
        yield text


def _held_out(corpus: Path, *, curriculum: bool) -> Iterator[Document]:
    for document in read_documents(corpus / HELD_OUT):
        if document.source.startswith(CURRICULUM) == curriculum:
            yield _of_one_curriculum(document)
