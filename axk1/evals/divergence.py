"""How far a model's predictions are from those of a reference, such as a quantised model's from the original's.

Shape letters: T tokens of a window, M those that are measured, R of these at once, V vocabulary, X measures of a token.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from axk1.corpus.source import Source
from axk1.evals.bits import documents
from axk1.evals.windows import Doubles, Floats, Logits, Text, Window, groups, log_probabilities
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["Divergence", "Prediction", "compare", "compare_files"]


@dataclass(frozen=True)
class Prediction:
    """What a model makes of a text: the bits of surprise over all measured tokens."""

    bits: float
    tokens: int
    bytes: int

    @property
    def perplexity(self) -> float:
        """2 to the bits a token; depends on the tokenizer."""
        return float(2.0 ** (self.bits / self.tokens))

    @property
    def bits_per_byte(self) -> float:
        """The same unit for all tokenizers."""
        return self.bits / self.bytes

    def to_mapping(self) -> dict[str, float]:
        """As JSON values."""
        return {"perplexity": round(self.perplexity, 6), "bits_per_byte": round(self.bits_per_byte, 6)}


@dataclass(frozen=True)
class Divergence:
    """A model beside its reference on one text.

    `mean_kl` and `kl_99` are in nats, KL(reference || model) of the distributions of every token: their mean and their
    99th percentile. `agreement` is the share of tokens where both find the same id the likeliest.
    """

    text: str
    documents: int
    reference: Prediction
    model: Prediction
    mean_kl: float
    kl_99: float
    agreement: float

    def to_mapping(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "text": self.text,
            "documents": self.documents,
            "bytes": self.model.bytes,
            "tokens": self.model.tokens,
            "reference": self.reference.to_mapping(),
            "model": self.model.to_mapping(),
            "mean_kl": self.mean_kl,
            "kl_99": self.kl_99,
            "agreement": round(self.agreement, 6),
        }


def compare_files(
    source: Source, tokenizer: Tokenizer, start: int, reference: Logits, model: Logits
) -> Iterator[Divergence]:
    """`compare` for every file that the source means, cleaned and sampled as `bits.score` does. CorpusError."""
    for file, found in documents(source):
        texts = (
            Text(tokenizer.encode(document.text, special_tokens=False), len(document.text.encode("utf-8")))
            for document in found
        )
        yield compare(file, texts, start, reference, model)


def compare(name: str, texts: Iterable[Text], start: int, reference: Logits, model: Logits) -> Divergence:
    """Both models on the same texts, group of windows by group; `start` is the id that a document stands behind.

    ValueError when there is no token to measure.
    """
    counted = _Counted(texts)
    pieces = list[Doubles]()
    for group in groups(counted, start):
        inputs = [window.inputs for window in group]
        for window, reference_TV, model_TV in zip(group, reference(inputs), model(inputs), strict=True):
            pieces += _measures(window, reference_TV, model_TV)
    if not pieces:
        raise ValueError(f"{name}: no text to compare with")
    nats_M, model_nats_M, kl_M, same_M = np.concatenate(pieces, axis=1)
    of_reference, of_model = (
        Prediction(float(one_M.sum()) / math.log(2), len(kl_M), counted.bytes) for one_M in (nats_M, model_nats_M)
    )
    mean, tail = float(kl_M.mean()), float(np.percentile(kl_M, 99))
    return Divergence(name, counted.documents, of_reference, of_model, mean, tail, float(same_M.mean()))


class _Counted:
    """Passes texts on and counts them."""

    def __init__(self, texts: Iterable[Text]) -> None:
        self._texts = texts
        self.documents = self.bytes = 0

    def __iter__(self) -> Iterator[Text]:
        for text in self._texts:
            self.documents += 1
            self.bytes += text.bytes
            yield text


def _measures(window: Window, reference_TV: Floats, model_TV: Floats) -> Iterator[Doubles]:
    """[4, R]: a token's surprise in nats by either model, its KL divergence, 1 where both have the same likeliest."""
    assert reference_TV.shape == model_TV.shape, "models with one vocabulary are compared"
    for targets_R1, (reference_RV, model_RV) in log_probabilities(window, reference_TV, model_TV):
        nats = [-np.take_along_axis(one_RV, targets_R1, 1)[:, 0] for one_RV in (reference_RV, model_RV)]
        kl_R = np.einsum("rv,rv->r", np.exp(reference_RV), reference_RV - model_RV)
        yield np.stack([*nats, kl_R, reference_RV.argmax(1) == model_RV.argmax(1)])
