"""A linear classifier over hashed features: one weight per place and label, softmax over the labels.

Shapes: T texts, N features of all of them, V = 2^bits places, L labels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from axk1.corpus.classifier.features import Features, FeatureSettings, features_of

__all__ = ["Floats", "Linear", "softmax"]

Floats = NDArray[np.float32]

_BATCH = 32_000  # characters that are looked at together: what is made of them fits into a core's cache


@dataclass(frozen=True)
class Linear:
    """The weights, and the features that they are for."""

    features: FeatureSettings
    weights_VL: Floats
    bias_L: Floats

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """(T, L): how likely each label is; of a text without a visible character all alike."""
        scores = [softmax(self.logits(features_of(batch, self.features))) for batch in _batches(texts)]
        return np.concatenate(scores) if scores else np.empty((0, len(self.bias_L)), np.float32)

    def logits(self, features: Features) -> Floats:
        """(T, L); rows of zeros for empty rows."""
        ends = features.starts.tolist()
        logits_TL = np.zeros((len(ends) - 1, len(self.bias_L)), np.float32)
        for text, (start, end) in enumerate(pairwise(ends)):  # a loop, for what one text needs stays in the cache
            if start < end:
                weights_NL = self.weights_VL.take(features.places[start:end], axis=0)
                logits_TL[text] = features.values[start:end] @ weights_NL + self.bias_L
        return logits_TL


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """In their order, each of at most _BATCH characters, or one text."""
    start = held = 0
    for number, text in enumerate(texts):
        if number > start and held + len(text) > _BATCH:
            yield texts[start:number]
            start, held = number, 0
        held += len(text)
    if texts:
        yield texts[start:]


def softmax(logits_TL: Floats) -> Floats:
    """Of every row."""
    powers: Floats = np.exp(logits_TL - logits_TL.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers
