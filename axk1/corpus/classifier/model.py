"""A trained classifier with its name and what it was made of, and the one file that it rests in.

The file is safetensors: the weights in half precision, everything else as text in its header, so it can be looked at
without axk1, and reading it runs nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from axk1.config import ConfigError, from_mapping, to_mapping
from axk1.corpus.classifier.features import FeatureSettings
from axk1.corpus.classifier.linear import Floats, Linear
from axk1.corpus.classifier.pieces import EVENLY, Spread, spread
from axk1.corpus.streams import CorpusError
from axk1.runs import write_whole

__all__ = ["Classifier", "read_classifier", "stored", "write_classifier"]

_KEY, _VERSION = "axk1.classifier", 1  # of the entry in the header, and what it holds


@dataclass(frozen=True)
class Classifier:
    """about: what the labels mean, the settings and sources that it was trained from, its held-out report."""

    name: str
    labels: tuple[str, ...]
    linear: Linear
    about: Mapping[str, Any]

    def judged(self, texts: Sequence[str], by: Spread = EVENLY) -> Floats:
        """(texts, labels): the mean of the probabilities of every text's pieces."""
        pieces = [spread(text, by) for text in texts]
        probabilities = self.linear.probabilities([piece for some in pieces for piece in some])
        if len(probabilities) == len(texts):
            return probabilities
        counts = np.array([len(some) for some in pieces])
        means: Floats = np.add.reduceat(probabilities, np.cumsum(counts) - counts, axis=0) / counts[:, None]
        return means.astype(np.float32)


def stored(linear: Linear) -> Linear:
    """The weights as a file keeps them: what is measured must be what is shipped."""
    return replace(linear, weights_VL=linear.weights_VL.astype(np.float16).astype(np.float32))


def write_classifier(classifier: Classifier, path: Path) -> None:
    """The whole file, or none. Equal classifiers give equal bytes. OSError on a full disk."""
    tensors: dict[str, NDArray[Any]] = {
        "weights": classifier.linear.weights_VL.astype(np.float16),
        "bias": classifier.linear.bias_L,
    }
    header = {
        "version": _VERSION,
        "name": classifier.name,
        "labels": classifier.labels,
        "features": to_mapping(classifier.linear.features),
        "about": classifier.about,
    }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"))
    write_whole(path, save(tensors, {_KEY: text}))  # one key: safetensors writes several in any order


def read_classifier(path: Path) -> Classifier:
    """The classifier in a file. CorpusError, in one line, for a file that is none or of another version; OSError."""
    path.stat()  # a missing file is the system's error, with its name
    try:
        with safe_open(path, framework="numpy") as file:
            found = file.metadata() or {}
            if _KEY not in found:
                raise CorpusError(f"{path}: no classifier of axk1: `axk1 corpus classifier train` makes one")
            header = json.loads(found[_KEY])
            if header["version"] != _VERSION:
                version = header["version"]
                raise CorpusError(f"{path}: a classifier of version {version}, wants {_VERSION}: train it again")
            return _classifier(header, file.get_tensor("weights"), file.get_tensor("bias"))
    except CorpusError:
        raise
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CorpusError(f"{path}: no whole classifier file ({error})") from error


def _classifier(header: Mapping[str, Any], weights: Floats, bias: Floats) -> Classifier:
    features = from_mapping(header["features"], FeatureSettings, "features")
    labels = tuple(map(str, header["labels"]))
    wanted = 1 << features.bits, len(labels)
    if weights.shape != wanted or bias.shape != wanted[1:]:
        raise ConfigError(f"weights are {weights.shape} and {bias.shape}, wants {wanted} and {wanted[1:]}")
    linear = Linear(features, weights.astype(np.float32), bias.astype(np.float32))
    if not (np.isfinite(linear.weights_VL).all() and np.isfinite(linear.bias_L).all()):
        raise ConfigError("weights that are no numbers")
    return Classifier(header["name"], labels, linear, header["about"])
