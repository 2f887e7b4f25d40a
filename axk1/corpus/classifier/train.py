"""From labelled texts to a classifier: which text teaches, which sets the temperature, which is only asked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from axk1.config import to_mapping
from axk1.corpus.classifier.features import FeatureSettings
from axk1.corpus.classifier.fit import FitSettings, Labels, Seen, fit, tempered
from axk1.corpus.classifier.linear import Floats
from axk1.corpus.classifier.measure import Report, measured
from axk1.corpus.classifier.model import Classifier, stored
from axk1.corpus.classifier.pieces import EVENLY, PieceSettings, Spread, drawn
from axk1.corpus.classifier.seeds import Labelled, Seed, labelled
from axk1.corpus.split import position
from axk1.corpus.streams import CorpusError

__all__ = ["ClassifierConfig", "Mistake", "Part", "Pieces", "Trained", "divided", "evaluate", "train"]

Part = Literal["train", "tune", "held_out"]
_FEWEST = 10  # pieces of a label in every part; with fewer no figure means anything


@dataclass(frozen=True)
class ClassifierConfig:
    """A recipe for a classifier.

    held_out: the share of texts, by a hash of the text, that the report is about; as many set the temperature.
    """

    name: str
    meaning: str  # what the labels say, and what they do not
    seeds: tuple[Seed, ...]
    held_out: float = 0.1
    seed: int = 0
    total_bytes: int | None = None  # what the sources' shares are shares of
    pieces: PieceSettings = field(default_factory=PieceSettings)
    features: FeatureSettings = field(default_factory=FeatureSettings)
    fit: FitSettings = field(default_factory=FitSettings)

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"name must be a word of letters, digits and _, found {self.name!r}")
        if not 0 < self.held_out < 0.5:
            raise ValueError(f"held_out must be above 0 and below 0.5, found {self.held_out}")


class Mistake(NamedTuple):
    """A text whose likeliest label is not its own."""

    id: str
    text: str
    label: str
    chosen: str
    probability: float


class Trained(NamedTuple):
    """The classifier, its held-out report (also in `about`), and the held-out pieces it got wrong, surest first."""

    classifier: Classifier
    report: Report
    mistakes: tuple[Mistake, ...]


class Pieces(NamedTuple):
    """The pieces of one part: ids of their documents, texts, labels as numbers."""

    ids: list[str]
    texts: list[str]
    labels: Labels


def train(config: ClassifierConfig, begins: Callable[[int], Seen]) -> Trained:
    """Train, set the temperature, measure. `begins` is told how many texts will be learnt from, all epochs together.

    CorpusError for a single label or one with too few texts; see `labelled`.
    """
    labels, parts = divided(config)
    teaching, tuning, asked = parts["train"], parts["tune"], parts["held_out"]
    seen = begins(len(teaching.texts) * config.fit.epochs)
    linear = fit(teaching.texts, teaching.labels, len(labels), config.features, config.fit, config.seed, seen)
    linear = stored(tempered(linear, tuning.texts, tuning.labels))
    probabilities = linear.probabilities(asked.texts)
    report = measured(labels, asked.labels, probabilities)
    counts = {name: {part: int(np.sum(some.labels == number)) for part, some in parts.items()}
              for number, name in enumerate(labels)}  # fmt: skip
    about = {"meaning": config.meaning, "recipe": to_mapping(config), "pieces": counts, "held_out": to_mapping(report)}
    mistakes = _mistakes(labels, asked.ids, asked.texts, asked.labels, probabilities)
    return Trained(Classifier(config.name, labels, linear, about), report, mistakes)


def evaluate(
    classifier: Classifier, texts: Iterable[Labelled], by: Spread = EVENLY
) -> tuple[Report, tuple[Mistake, ...]]:
    """The report on whole documents, as the step `classify` judges them. CorpusError for a label it does not know."""
    known = {name: number for number, name in enumerate(classifier.labels)}
    documents = list(texts)
    if not documents:
        raise CorpusError("there is no labelled text to measure on")
    for one in documents:
        if one.label not in known:
            raise CorpusError(f"{classifier.name}: no label {one.label!r} (known: {', '.join(classifier.labels)})")
    truth = np.array([known[one.label] for one in documents], np.intp)
    whole = [one.document.text for one in documents]
    probabilities = classifier.judged(whole, by)
    ids = [f"{one.document.source}/{one.document.id}" for one in documents]
    report = measured(classifier.labels, truth, probabilities)
    return report, _mistakes(classifier.labels, ids, whole, truth, probabilities)


def divided(config: ClassifierConfig) -> tuple[tuple[str, ...], Mapping[Part, Pieces]]:
    """The labels in alphabetical order, and the pieces of every part; a document's pieces share its part."""
    by_label: dict[str, list[tuple[float, str, str, Part]]] = {}
    for document, label in labelled(config.seeds, config.total_bytes, config.seed):
        place = position(document.text, f"classifier {config.seed}")
        part = _part(place, config.held_out)
        rank = position(document.text, f"pieces {config.seed}")
        some = by_label.setdefault(label, [])
        pieces = drawn(document.text, config.pieces, config.seed)
        some.extend((rank, f"{document.source}/{document.id}", piece, part) for piece in pieces)
    labels = tuple(sorted(by_label))
    if len(labels) < 2:
        raise CorpusError(f"{config.name}: wants texts of two labels at least, found {', '.join(labels) or 'none'}")
    chosen = {label: sorted(by_label[label])[: config.pieces.per_label] for label in labels}
    return labels, {part: _pieces(part, labels, chosen, config.name) for part in ("train", "tune", "held_out")}


def _part(place: float, held_out: float) -> Part:
    return "held_out" if place < held_out else "tune" if place < 2 * held_out else "train"


def _pieces(
    part: Part, labels: Sequence[str], chosen: Mapping[str, Sequence[tuple[float, str, str, Part]]], name: str
) -> Pieces:
    ids, texts, numbers = list[str](), list[str](), list[int]()
    for number, label in enumerate(labels):
        some = [(id_, text) for _, id_, text, where in chosen[label] if where == part]
        if len(some) < _FEWEST:
            raise CorpusError(f"{name}: {len(some)} texts of {label!r} to {part}, wants {_FEWEST}: add texts of it")
        ids += [id_ for id_, _ in some]
        texts += [text for _, text in some]
        numbers += [number] * len(some)
    return Pieces(ids, texts, np.array(numbers, np.intp))


def _mistakes(
    labels: Sequence[str], ids: Sequence[str], texts: Sequence[str], truth: Labels, probability_TL: Floats
) -> tuple[Mistake, ...]:
    chosen = probability_TL.argmax(axis=1)
    rows = zip(ids, texts, truth.tolist(), chosen.tolist(), probability_TL.max(axis=1).tolist(), strict=True)
    mistakes = (
        Mistake(id_, text, labels[own], labels[choice], round(probability, 4))
        for id_, text, own, choice, probability in rows
        if own != choice
    )
    return tuple(sorted(mistakes, key=lambda one: -one.probability))
