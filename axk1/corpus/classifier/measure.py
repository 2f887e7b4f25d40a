"""How good a classifier is: precision, recall and F1 per label, confusions, and whether its probabilities are true.

Shapes: T texts, L labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from axk1.corpus.classifier.linear import Floats

__all__ = ["Bin", "LabelScore", "Report", "measured"]

_BINS = 10
_THRESHOLDS = (0.5, 0.7, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class LabelScore:
    """Of one label: `texts` have it. at: per threshold, precision and recall of "at least so likely"."""

    texts: int
    precision: float
    recall: float
    f1: float
    at: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Bin:
    """Texts whose likeliest label was about so likely, and how often it was right."""

    texts: int
    probability: float
    right: float


@dataclass(frozen=True)
class Report:
    """macro_f1: the mean over the labels that occur. confusion: true label → chosen label → texts.

    calibration_error: the mean distance of probability and share of right choices, over the bins (Guo et al., 2017).
    """

    texts: int
    accuracy: float
    macro_f1: float
    calibration_error: float
    labels: Mapping[str, LabelScore]
    confusion: Mapping[str, Mapping[str, int]]
    bins: tuple[Bin, ...]


def measured(labels: Sequence[str], truth_T: NDArray[np.intp], probability_TL: Floats) -> Report:
    """The report on texts whose true labels are known, as numbers into `labels`."""
    chosen = probability_TL.argmax(axis=1)
    counts_LL = np.zeros((len(labels), len(labels)), np.intp)
    np.add.at(counts_LL, (truth_T, chosen), 1)
    scores = {name: _score(number, truth_T, chosen, probability_TL) for number, name in enumerate(labels)}
    bins = _bins(truth_T == chosen, probability_TL.max(axis=1))
    texts = max(1, len(truth_T))
    return Report(
        texts=len(truth_T),
        accuracy=_rounded(int((truth_T == chosen).sum()) / texts),
        macro_f1=_rounded(float(np.mean([one.f1 for one in scores.values() if one.texts] or [0.0]))),
        calibration_error=_rounded(sum(one.texts * abs(one.probability - one.right) for one in bins) / texts),
        labels=scores,
        confusion={
            name: {other: int(counts_LL[row, column]) for column, other in enumerate(labels) if counts_LL[row, column]}
            for row, name in enumerate(labels)
        },
        bins=tuple(bins),
    )


def _score(number: int, truth_T: NDArray[np.intp], chosen_T: NDArray[np.intp], probability_TL: Floats) -> LabelScore:
    is_T = truth_T == number
    precision, recall = _precision_recall(is_T, chosen_T == number)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    at = {f"{least:g}": _precision_recall(is_T, probability_TL[:, number] >= least) for least in _THRESHOLDS}
    return LabelScore(int(is_T.sum()), precision, recall, _rounded(f1), at)


def _precision_recall(is_T: NDArray[np.bool_], said_T: NDArray[np.bool_]) -> tuple[float, float]:
    right, said, are = (int(some.sum()) for some in (is_T & said_T, said_T, is_T))
    return _rounded(right / max(1, said)), _rounded(right / max(1, are))


def _bins(right_T: NDArray[np.bool_], probability_T: Floats) -> list[Bin]:
    bin_T = np.minimum((probability_T * _BINS).astype(np.intp), _BINS - 1)
    return [
        Bin(int(inside.sum()), _rounded(float(probability_T[inside].mean())), _rounded(float(right_T[inside].mean())))
        for inside in (bin_T == number for number in range(_BINS))
        if inside.any()
    ]


def _rounded(value: float) -> float:
    return round(value, 4)
