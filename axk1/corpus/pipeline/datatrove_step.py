"""datatrove's blocks as our steps, and our steps as datatrove's blocks.

steps = ["nfc", { name = "datatrove", block = "datatrove.pipeline.filters:GopherQualityFilter", options = { … } }]
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from numbers import Number
from typing import Any, ClassVar, Self

from datatrove.data import Document as Trove
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.filters.base_filter import BaseFilter

from axk1.config import ConfigError
from axk1.corpus.documents import Document, Fact, Reject, Scope
from axk1.corpus.steps import StepEntry, make_step, scope_of, step_name

__all__ = ["DatatroveSettings", "DatatroveStep", "StepBlock", "blocks"]


@dataclass(frozen=True)
class DatatroveSettings:
    """block: "module:Class" of a datatrove filter or formatter; options: what it is made with."""

    block: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


class DatatroveStep:
    """A filter or formatter of datatrove that looks at one document at a time. It drops with the filter's reason."""

    scope: ClassVar[Scope] = "document"

    def __init__(self, settings: DatatroveSettings = DatatroveSettings()) -> None:
        self._block = _made(settings)

    def __call__(self, documents: Iterator[Document], reject: Reject) -> Iterator[Document]:
        """Documents of which the block says nothing and that do not come out are dropped with the block's name."""
        inside = _Inside(reject, str(self._block.name))
        if isinstance(self._block, BaseFilter):
            self._block.exclusion_writer = inside
        for trove in self._block.run(inside.entering(documents)):
            yield inside.leave(trove)
        inside.drop_all()


class _Inside:
    """Documents inside a block, in their order; it stands where a filter writes what it excludes."""

    def __init__(self, reject: Reject, name: str) -> None:
        self._reject, self._name = reject, name
        self._documents: dict[str, Document] = {}
        self._count = 0

    def entering(self, documents: Iterator[Document]) -> Iterator[Trove]:
        for document in documents:
            self._count += 1
            key = f"{self._count}:{document.id}"  # ids need not be unique for us, and blocks may look at them
            self._documents[key] = document
            yield Trove(document.text, key, metadata={"source": document.source, **document.metadata})

    def leave(self, trove: Trove) -> Document:
        """The document as the block left it; those that entered before it and did not come out are dropped."""
        while (key := next(iter(self._documents))) != trove.id:
            self._reject(self._documents.pop(key), self._name)
        document = self._documents.pop(key)
        metadata = {name: value for name, value in _facts(trove.metadata).items() if name != "source"}
        return replace(document, text=trove.text, metadata=metadata)

    def write(self, trove: Trove, _rank: int = 0) -> None:
        """What a filter calls for a document that it excludes."""
        self._reject(self._documents.pop(trove.id), str(trove.metadata.get("filter_reason", self._name)))

    def drop_all(self) -> None:
        for document in self._documents.values():
            self._reject(document, self._name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing to close."""


class StepBlock(PipelineStep):  # type: ignore[misc]
    """One of our steps in a pipeline of datatrove, between its readers and writers (and their fsspec paths).

    ValueError for a step of scope "corpus" in more than one task: each would remember for itself.
    """

    type = "axk1"

    def __init__(self, entry: StepEntry, exclusion_writer: Any = None) -> None:
        super().__init__()
        self.name = step_name(entry)
        self._entry, self._excluded = entry, exclusion_writer

    def run(self, data: Iterator[Trove], rank: int = 0, world_size: int = 1) -> Iterator[Trove]:
        """The documents through the step; drops are counted by reason and given to the exclusion writer."""
        if world_size > 1 and scope_of(self._entry) == "corpus":
            raise ValueError(f"{self.name} remembers across documents: run it with one task")

        with contextlib.nullcontext() if self._excluded is None else self._excluded as writer:

            def reject(document: Document, reason: str) -> None:
                self.stat_update("dropped", f"dropped_{reason}")
                if writer is not None:
                    writer.write(_to_trove(document, {"filter_reason": reason}), rank)

            for document in make_step(self._entry)(map(_from_trove, data), reject):
                self.stat_update("forwarded")
                yield _to_trove(document, {})


def blocks(entries: Sequence[StepEntry]) -> list[StepBlock]:
    """The steps as blocks of a datatrove pipeline: [JsonlReader("s3://…"), *blocks(["nfc"]), JsonlWriter("s3://…")]."""
    return [StepBlock(entry) for entry in entries]


def _made(settings: DatatroveSettings) -> PipelineStep:
    module, colon, name = settings.block.partition(":")
    if not colon:
        raise ConfigError(
            'step datatrove: name a block, as in block = "datatrove.pipeline.filters:GopherQualityFilter"'
        )
    try:
        made = getattr(import_module(module), name)(**settings.options)
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigError(f"step datatrove: {settings.block}: {error}") from error
    if not isinstance(made, PipelineStep):
        raise ConfigError(f"step datatrove: {settings.block} is no block of a datatrove pipeline")
    return made


def _from_trove(trove: Trove) -> Document:
    facts = _facts(trove.metadata)
    return Document(trove.text, trove.id, str(facts.pop("source", "")), facts)


def _to_trove(document: Document, more: Mapping[str, Fact]) -> Trove:
    return Trove(document.text, document.id, metadata={"source": document.source, **document.metadata, **more})


def _facts(metadata: Mapping[str, Any]) -> dict[str, Fact]:
    """What can travel with a document: texts, numbers and truth values."""
    return {key: _fact(value) for key, value in metadata.items() if isinstance(value, str | Number)}


def _fact(value: Any) -> Fact:
    if isinstance(value, bool | str | int):
        return value
    return float(value)
