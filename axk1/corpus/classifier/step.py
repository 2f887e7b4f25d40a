"""The step `classify`: notes what trained classifiers say of a text, and drops by rules on their labels.

steps = [{ name = "classify", models = ["toxicity.safetensors"], drop = { "toxicity.toxic" = 0.9 } }]
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from axk1.corpus.classifier.features import is_visible
from axk1.corpus.classifier.model import read_classifier
from axk1.corpus.classifier.pieces import Spread
from axk1.corpus.documents import Document, Fact, Reject, Scope

__all__ = ["Classify", "ClassifySettings"]

_BATCH = 64  # documents that are judged together: a one-line text alone would cost the same again


@dataclass(frozen=True)
class ClassifySettings:
    """models: files of `axk1 corpus classifier train`. Rules: "classifier.label" → probability.

    drop: a document goes whose label is at least so likely. keep: only documents stay of which one label here is at
    least so likely. Of a document at most `pieces` pieces of `characters` characters are read, spread evenly.
    """

    models: tuple[str, ...] = ()
    drop: Mapping[str, float] = field(default_factory=dict)
    keep: Mapping[str, float] = field(default_factory=dict)
    pieces: int = 4
    characters: int = 1000

    def __post_init__(self) -> None:
        for rule, least in {**self.drop, **self.keep}.items():
            if not 0 < least <= 1:
                raise ValueError(f"{rule}: a probability is above 0 and at most 1, found {least}")
        Spread(self.pieces, self.characters)


class Classify:
    """Notes the likeliest label of every classifier under its name, and `<name>_score`, the label's probability.

    A text without a visible character is passed on without a label. CorpusError for a file that is no classifier,
    ValueError for a rule on a label that no classifier has.
    """

    scope: ClassVar[Scope] = "document"

    def __init__(self, settings: ClassifySettings = ClassifySettings()) -> None:
        self._settings = settings
        self._spread = Spread(settings.pieces, settings.characters)
        self._classifiers = [read_classifier(Path(path)) for path in settings.models]
        names = [one.name for one in self._classifiers]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two of the models are called {min(twice)!r}")
        self._places = {
            f"{one.name}.{label}": (number, place)
            for number, one in enumerate(self._classifiers)
            for place, label in enumerate(one.labels)
        }
        known = ", ".join(sorted(self._places)) or "none: give it models"
        for rule in (*settings.drop, *settings.keep):
            if rule not in self._places:
                raise ValueError(f"no label {rule!r} (known: {known})")

    def __call__(self, documents: Iterator[Document], reject: Reject) -> Iterator[Document]:
        """Drops with the reason "toxicity.toxic", or "none of domain.law, domain.prose"."""
        while batch := list(itertools.islice(documents, _BATCH)):
            judged = iter(self._judged([one.text for one in batch if is_visible(one.text)]))
            for document in batch:
                if not is_visible(document.text):
                    yield document
                    continue
                rows = next(judged)
                noted = document.noted(**self._notes(rows))
                if reason := self._reason(rows):
                    reject(noted, reason)
                else:
                    yield noted

    def _judged(self, texts: Sequence[str]) -> list[tuple[list[float], ...]]:
        """Per text the probabilities of every classifier, rounded: a rule decides on what is noted."""
        tables = [one.judged(texts, self._spread).astype(np.float64).round(3).tolist() for one in self._classifiers]
        return [tuple(rows) for rows in zip(*tables, strict=True)] if tables else [()] * len(texts)

    def _notes(self, rows: Sequence[list[float]]) -> dict[str, Fact]:
        notes: dict[str, Fact] = {}
        for one, row in zip(self._classifiers, rows, strict=True):
            best = max(row)
            notes |= {one.name: one.labels[row.index(best)], f"{one.name}_score": best}
        return notes

    def _reason(self, rows: Sequence[list[float]]) -> str:
        for rule, least in self._settings.drop.items():
            if self._probability(rule, rows) >= least:
                return rule
        keep = self._settings.keep
        if keep and all(self._probability(rule, rows) < least for rule, least in keep.items()):
            return f"none of {', '.join(keep)}"
        return ""

    def _probability(self, rule: str, rows: Sequence[list[float]]) -> float:
        classifier, label = self._places[rule]
        return rows[classifier][label]
