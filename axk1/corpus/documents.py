"""What travels through the corpus room: documents, the steps that filter them, and the files they rest in."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import zstandard

from axk1.corpus.streams import CorpusError, lines_of

__all__ = [
    "CorpusError", "Document", "Drop", "Fact", "JsonLines", "Ledger", "Metadata", "Reject", "Scope", "Step",
    "read_documents",
]  # fmt: skip

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # json.dumps would make one for every line
_LEVEL = 3  # zstd: 300 MB/s on one core, and levels that take ten times as long save a tenth of the size


Fact = str | int | float | bool
Metadata = Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class Document:
    """A text with where it comes from: `id` is file and line (or row), `source` the name of its source.

    metadata: what readers and steps found out about it ("license", "url", "language", "quality" …), each a text, a
    number or a truth value; it travels with the text into the files.
    """

    text: str
    id: str
    source: str
    metadata: Metadata = field(default_factory=dict, hash=False)

    def noted(self, **found: Fact) -> "Document":
        """The same text, with more known about it."""
        return Document(self.text, self.id, self.source, {**self.metadata, **found})

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object; without metadata when there is none."""
        values = {"text": self.text, "id": self.id, "source": self.source}
        return {**values, "metadata": dict(self.metadata)} if self.metadata else values


Reject = Callable[[Document, str], None]
"""What a step calls for every document that it drops, with the reason in a few fixed words."""


Drop = Callable[[Document, str, str], None]
"""What takes dropped documents of many steps: the document, the step's name, the reason."""

Scope = Literal["document", "corpus"]
"""What decides a document's fate in a step: the document alone, or the ones before it as well."""


class Step(Protocol):
    """A plug-in of the kind "corpus_step": documents in, documents out, one at a time and in their order.

    A step of scope "document" may be made many times, each for a part of the documents: parts are worked on side by
    side. One of scope "corpus" is made once and sees all documents in their order, in one call or in several (one per
    source), so what it remembers (digests) holds for all. Its class takes no argument, or one frozen dataclass of
    settings, all with a default: the recipe's options of the step.
    """

    @property
    def scope(self) -> Scope:
        """An attribute of the class: `scope: ClassVar[Scope] = "document"`."""
        ...

    def __call__(self, documents: Iterator[Document], reject: Reject, /) -> Iterator[Document]:
        """Yield what is kept, changed or not; call `reject` for every document that is not."""
        ...


class JsonLines:
    """A .jsonl.zst file that is written line by line; the same lines give the same bytes."""

    def __init__(self, path: Path) -> None:
        self.written = 0
        self._file = open(path, "wb")  # noqa: SIM115 (closed by close)
        self._stream = zstandard.ZstdCompressor(level=_LEVEL).stream_writer(self._file)

    def write(self, values: Mapping[str, Any]) -> None:
        """Append one object as a line of UTF-8 JSON. OSError on a full disk."""
        self._stream.write(_ENCODER.encode(values).encode("utf-8") + b"\n")
        self.written += 1

    def close(self) -> None:
        """Finish the compressed frame."""
        self._stream.flush(zstandard.FLUSH_FRAME)
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()  # finishing the frame would write again, and hide the first error behind a second


class Ledger:
    """What was dropped and why: counts per step and reason, and every dropped document in a file."""

    def __init__(self, file: JsonLines) -> None:
        self._file = file
        self._dropped: Counter[str] = Counter()

    def reject(self, document: Document, step: str, reason: str) -> None:
        """Count the document under "step: reason" and keep it in the file."""
        why = f"{step}: {reason}"
        self._dropped[why] += 1
        self._file.write({"why": why, **document.to_json()})

    def take_counts(self) -> dict[str, int]:
        """The counts since the last call, most frequent first."""
        counts = dict(self._dropped.most_common())
        self._dropped.clear()
        return counts


def read_documents(path: Path) -> Iterator[Document]:
    """The documents of a file that `build` wrote (train.jsonl.zst, validation.jsonl.zst), streamed.

    Raises CorpusError for a truncated or foreign file, FileNotFoundError.
    """
    for line in lines_of(path):
        values = json.loads(line.data)
        yield Document(values["text"], values["id"], values["source"], values.get("metadata", {}))
