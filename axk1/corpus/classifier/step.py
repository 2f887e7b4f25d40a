"""The step `classify`: notes what trained classifiers say of a text, and drops by rules on their labels.

steps = [{ name = "classify", models = ["toxicity.safetensors"], drop = { "toxicity.toxic" = 0.9 } }]
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from axk1.corpus.classifier.features import is_visible
from axk1.corpus.classifier.linear import Floats
from axk1.corpus.classifier.model import Classifier, read_classifier
from axk1.corpus.classifier.pieces import Spread
from axk1.corpus.documents import Document, Fact, Reject, Scope

__all__ = ["Classify", "ClassifySettings"]

_BATCH = 32  # documents that are judged together: a one-line text alone would cost the same again


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
        known = {f"{one.name}.{label}" for one in self._classifiers for label in one.labels}
        for rule in (*settings.drop, *settings.keep):
            if rule not in known:
                raise ValueError(f"no label {rule!r} (known: {', '.join(sorted(known)) or 'none: give it models'})")

    def __call__(self, documents: Iterator[Document], reject: Reject) -> Iterator[Document]:
        """Drops with the reason "toxicity.toxic", or "none of domain.law, domain.prose"."""
        while batch := list(itertools.islice(documents, _BATCH)):
            seen = [number for number, document in enumerate(batch) if is_visible(document.text)]
            texts = [batch[number].text for number in seen]
            judged = [(one, one.judged(texts, self._spread)) for one in self._classifiers]
            rows = {number: row for row, number in enumerate(seen)}
            for number, document in enumerate(batch):
                if number not in rows:
                    yield document
                    continue
                scores = _scores(judged, rows[number])
                noted = document.noted(**_notes(judged, rows[number]))
                if reason := self._reason(scores):
                    reject(noted, reason)
                else:
                    yield noted

    def _reason(self, scores: Mapping[str, float]) -> str:
        settings = self._settings
        for rule, least in settings.drop.items():
            if scores[rule] >= least:
                return rule
        if settings.keep and all(scores[rule] < least for rule, least in settings.keep.items()):
            return f"none of {', '.join(settings.keep)}"
        return ""


def _scores(judged: Sequence[tuple[Classifier, Floats]], row: int) -> dict[str, float]:
    """Rounded as they are noted, so that who looks at a rejected document sees why."""
    return {
        f"{one.name}.{label}": round(float(score), 3)
        for one, scores in judged
        for label, score in zip(one.labels, scores[row], strict=True)
    }


def _notes(judged: Sequence[tuple[Classifier, Floats]], row: int) -> dict[str, Fact]:
    notes: dict[str, Fact] = {}
    for one, scores in judged:
        best = int(scores[row].argmax())
        notes |= {one.name: one.labels[best], f"{one.name}_score": round(float(scores[row, best]), 3)}
    return notes
