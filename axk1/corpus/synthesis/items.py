"""What is to be written: passages of the sources, drawn topics, exercises of the curriculum."""

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from axk1.config import ConfigError
from axk1.corpus.curriculum import exercises
from axk1.corpus.documents import Document, Reject
from axk1.corpus.exercise import Exercise
from axk1.corpus.korean_text.sentences import sentences
from axk1.corpus.mix import mixed
from axk1.corpus.pipeline.samples import priority
from axk1.corpus.synthesis.settings import Passages, SynthesisConfig, Task
from axk1.corpus.synthesis.topics import Topic, drawn_topics, read_topics

__all__ = ["Item", "items_of", "passages_of"]


@dataclass(frozen=True)
class Item:
    """A task for one seed, topic or exercise; `key` names it within the task."""

    task: Task
    key: str
    seed: Document | None = None
    topic: Topic | None = None
    exercise: Exercise | None = None


def items_of(config: SynthesisConfig, folder: Path, reject: Reject) -> Iterator[Item]:
    """Task by task, always in the same order. folder: of the recipe. Raises CorpusError, ConfigError, OSError."""
    for task in config.tasks:
        if task.per == "topic":
            drawn = drawn_topics(read_topics(config.topics, folder), config.seed)
            yield from (Item(task, topic.key, topic=topic) for topic in itertools.islice(drawn, task.count))
        elif task.per == "exercise":
            yield from _exercise_items(task, config.seed)
        else:
            seeds = _seeds(config, reject)
            chosen = seeds if task.count is None else _sample(seeds, task.count, config.seed)
            yield from (Item(task, f"{seed.source}/{seed.id}", seed=seed) for seed in chosen)


def passages_of(document: Document, settings: Passages) -> Iterator[Document]:
    """Paragraphs together, up to `most` characters; a longer one is cut between sentences, or where it must be."""
    held = ""
    number = 0
    for piece, gap in _pieces(document.text, settings.most):
        if held and len(held) + len(gap) + len(piece) > settings.most:
            if len(held) >= settings.least:
                yield replace(document, text=held, id=f"{document.id}#{number}")
            number, held = number + 1, piece
        else:
            held = f"{held}{gap}{piece}" if held else piece
    if len(held) >= settings.least:
        yield replace(document, text=held, id=f"{document.id}#{number}")


def _pieces(text: str, most: int) -> Iterator[tuple[str, str]]:
    """Lines, sentences of long lines, or parts of long sentences, each with what joins it to the piece before."""
    for line in text.split("\n"):
        if not line.strip():
            continue
        gap = "\n"
        for piece in [line.strip()] if len(line) <= most else sentences(line):
            for start in range(0, len(piece), most):
                yield piece[start : start + most], gap
                gap = " "


def _seeds(config: SynthesisConfig, reject: Reject) -> Iterator[Document]:
    for source in config.sources:
        for document in mixed(source, None, config.seed, reject):
            yield from passages_of(document, config.passages)


def _sample(seeds: Iterator[Document], count: int, seed: int) -> list[Document]:
    """So many of lowest hash, in their order; a larger number keeps what a smaller one kept."""
    numbered = ((priority(one, seed), number, one) for number, one in enumerate(seeds))
    lowest = heapq.nsmallest(count, numbered, key=lambda entry: entry[:2])
    return [one for _, _, one in sorted(lowest, key=lambda entry: entry[1])]


def _exercise_items(task: Task, seed: int) -> Iterator[Item]:
    drawn = exercises(seed, "train", dict.fromkeys(task.families, 1.0))
    for number, exercise in enumerate(itertools.islice(drawn, task.count)):
        if exercise.call or exercise.tools:
            raise ConfigError(f"task {task.name}: the family {exercise.family} asks for tool calls, not for an answer")
        digest = sha256(exercise.question.encode("utf-8")).hexdigest()[:8]
        yield Item(task, f"{exercise.family}/{number}-{digest}", exercise=exercise)
