"""Evaluation items as letters: from files, and from the plug-ins of the kind "eval_task"."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from axk1.corpus.dedup.shingles import Codes, letters
from axk1.corpus.streams import CorpusError, json_object, lines_of
from axk1.registry import load

__all__ = ["EvalFile", "Item", "items_of_file", "items_of_task"]

_SEED = 0


@dataclass(frozen=True)
class EvalFile:
    """An evaluation set: JSON lines (.jsonl, also .gz and .zst).

    Every one of `fields` is an item of its own: a passage that was trained on tells the answer without the question.
    A field that holds lists or tables counts by the texts in them, joined. A record may lack a field: sets of several
    tasks have different ones.
    """

    path: str
    fields: tuple[str, ...]
    name: str = ""  # "" = the file's name without its ending

    def __post_init__(self) -> None:
        if not self.fields:
            raise ValueError(f"evaluation set {self.path}: fields is empty")

    @property
    def label(self) -> str:
        """The name, given or derived."""
        return self.name or PurePath(self.path).name.partition(".")[0]


class Item(NamedTuple):
    """What must not be trained on: `id` is the line and field, or the number of the question."""

    set: str
    id: str
    text: str
    codes: Codes  # the letters of `text`


def items_of_file(file: EvalFile) -> Iterator[Item]:
    """The items of a file, each text once. CorpusError for broken lines or a field that no record has, OSError."""
    path, seen, missing = Path(file.path), set[str](), set(file.fields)
    for line in lines_of(path):
        if not line.data.strip():
            continue
        record = json_object(line, path)
        for name in file.fields:
            if name in record:
                missing.discard(name)
                if (text := "\n".join(_texts(record[name]))) not in seen:
                    seen.add(text)
                    yield Item(file.label, f"{line.number}:{name}", text, letters(text).codes)
    if missing:
        raise CorpusError(f"{path}: no record has a field {min(missing)!r}")


def items_of_task(plugin: str, count: int) -> Iterator[Item]:
    """`count` questions of every task of the plug-in. ValueError for an unknown plug-in."""
    for task in load("eval_task", plugin)():
        for number, question in enumerate(task.questions(count, _SEED), start=1):
            text = question.messages[-1].content
            yield Item(f"{plugin}/{task.name}", str(number), text, letters(text).codes)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)
