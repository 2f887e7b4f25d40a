"""Labelled texts: which sources, and where their labels come from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from axk1.corpus.classifier.features import is_visible
from axk1.corpus.documents import Document
from axk1.corpus.mix import mixed
from axk1.corpus.source import Source
from axk1.corpus.streams import CorpusError

__all__ = ["Labelled", "Seed", "SeedFile", "labelled"]

_FIELD = "label"  # the metadata in which a record's own label travels


@dataclass(frozen=True)
class Seed:
    """A source whose texts all have one `label`, or carry theirs in `label_field`.

    labels: what a value of the field is called here: {none = "clean", hate = "toxic"}; "" leaves such records out. A
    value that is not in it is an error; without it the values are the labels.
    """

    source: Source
    label: str = ""
    label_field: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.label) == bool(self.label_field):
            raise ValueError(f"source {self.source.label}: wants either a label or a label_field")
        if self.label and self.labels:
            raise ValueError(f"source {self.source.label}: labels goes with label_field")


@dataclass(frozen=True)
class SeedFile:
    """A file of labelled texts to measure a classifier on."""

    seeds: tuple[Seed, ...]
    total_bytes: int | None = None  # what the sources' shares are shares of
    seed: int = 0  # of the sources' caps


class Labelled(NamedTuple):
    """A document and what it is."""

    document: Document
    label: str


def labelled(seeds: Sequence[Seed], total_bytes: int | None, seed: int) -> Iterator[Labelled]:
    """Every text that has something to see, source by source. CorpusError for an unknown label or record, OSError."""
    for one in seeds:
        for document in mixed(_carrying(one), total_bytes, seed, _stop):
            label = one.label or _own_label(document, one)
            if label and is_visible(document.text):
                yield Labelled(document, label)


def _carrying(seed: Seed) -> Source:
    if seed.label:
        return seed.source
    return replace(seed.source, metadata={**seed.source.metadata, _FIELD: seed.label_field})


def _own_label(document: Document, seed: Seed) -> str:
    if _FIELD not in document.metadata:
        raise CorpusError(f"{document.id}: no label in the field {seed.label_field!r}")
    value = str(document.metadata[_FIELD])
    if not seed.labels:
        return value
    if value not in seed.labels:
        raise CorpusError(f"{document.id}: unknown label {value!r} (labels has: {', '.join(sorted(seed.labels))})")
    return seed.labels[value]


def _stop(_document: Document, _reason: str) -> None:
    """A source that skips bad records says so itself; nothing else comes here."""
