"""Training a linear classifier: multinomial logistic regression by AdaGrad; features are made as they are needed.

AdaGrad (Duchi, Hazan and Singer, 2011) gives every place a step size of its own: rare features learn in long steps,
which is what tf-idf weights are for elsewhere. Memory: the texts and two tables of V × L floats.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from axk1.corpus.classifier.features import Features, FeatureSettings, features_of
from axk1.corpus.classifier.linear import Floats, Linear, softmax

__all__ = ["FitSettings", "Seen", "fit", "tempered"]

Labels = NDArray[np.intp]
Seen = Callable[[int], None]
"""Called with how many texts were learnt from since the last call."""

_SMALLEST = np.float32(1e-4)  # of the sum of squared gradients: no step is divided by less than 0.01
_TEMPERATURES = np.geomspace(0.2, 10.0, 80, dtype=np.float32)


@dataclass(frozen=True)
class FitSettings:
    """How long and how fast."""

    epochs: int = 10
    learning_rate: float = 0.2
    batch: int = 64  # texts of a step
    balanced: bool = True  # every label counts alike, however many texts it has

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1:
            raise ValueError(f"epochs and batch must be at least 1, found {self.epochs} and {self.batch}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, found {self.learning_rate}")


def fit(
    texts: Sequence[str], labels: Labels, count: int, features: FeatureSettings, settings: FitSettings, seed: int,
    seen: Seen,
) -> Linear:  # fmt: skip
    """A classifier of `count` labels, numbered from 0. The same arguments give the same weights."""
    rng = np.random.default_rng(seed)
    weight_T = _weights(labels, count, settings.balanced)
    model = Linear(features, np.zeros((1 << features.bits, count), np.float32), np.zeros(count, np.float32))
    squares = Linear(features, np.full_like(model.weights_VL, _SMALLEST), np.full_like(model.bias_L, _SMALLEST))
    for _ in range(settings.epochs):
        order = rng.permutation(len(texts))
        for at in range(0, len(order), settings.batch):
            chosen = order[at : at + settings.batch]
            rows = features_of([texts[number] for number in chosen], features)
            error_TL = softmax(model.logits(rows))
            error_TL[np.arange(len(chosen)), labels[chosen]] -= 1
            _step(model, squares, rows, error_TL * weight_T[chosen, None], settings.learning_rate)
            seen(len(chosen))
    return model


def _weights(labels: Labels, count: int, balanced: bool) -> Floats:
    """What a text of each label counts; 1 on average."""
    if not balanced:
        return np.ones(len(labels), np.float32)
    texts_L = np.maximum(np.bincount(labels, minlength=count), 1)
    return (len(labels) / count / texts_L)[labels].astype(np.float32)


def _step(model: Linear, squares: Linear, rows: Features, error_TL: Floats, rate: float) -> None:
    """One step of AdaGrad, in place; only places that occur are touched."""
    if not len(rows.places):
        return
    order = np.argsort(rows.places, kind="stable")
    places = rows.places.take(order)
    starts = np.flatnonzero(np.r_[True, places[1:] != places[:-1]])
    text = np.repeat(np.arange(len(error_TL)), np.diff(rows.starts)).take(order)
    values, distinct = rows.values.take(order), places[starts]
    gradient = np.stack([np.add.reduceat(error.take(text) * values, starts) for error in error_TL.T], axis=1)
    square = squares.weights_VL.take(distinct, axis=0) + gradient * gradient
    squares.weights_VL[distinct] = square
    model.weights_VL[distinct] -= np.float32(rate) * gradient / np.sqrt(square)
    gradient_L = error_TL.mean(axis=0)
    squares.bias_L[:] += gradient_L * gradient_L
    model.bias_L[:] -= np.float32(rate) * gradient_L / np.sqrt(squares.bias_L)


def tempered(model: Linear, texts: Sequence[str], labels: Labels) -> Linear:
    """The same choices with probabilities that fit these texts: logits divided by one number (Guo et al., 2017).

    Of 80 temperatures the one with the smallest loss, where every text counts alike.
    """
    if not texts:
        return model
    probabilities = np.log(np.maximum(model.probabilities(texts), 1e-30))
    right = np.arange(len(labels)), labels
    losses = [-np.log(np.maximum(softmax(probabilities / one)[right], 1e-30)).mean() for one in _TEMPERATURES]
    best = _TEMPERATURES[int(np.argmin(losses))]
    return Linear(model.features, model.weights_VL / best, model.bias_L / best)
