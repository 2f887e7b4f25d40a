"""Bits per byte on held-out text: one unit for every tokenizer and every model."""

import math
from collections.abc import Callable, Mapping

import torch

from axk1.data.evaluation import Evaluation
from axk1.model.transformer import Transformer

__all__ = ["bits_per_byte", "validation"]


@torch.no_grad()
def bits_per_byte(model: Transformer, evaluation: Evaluation) -> float:
    """The loss summed over every token of the texts, in bits, over their bytes of UTF-8."""
    nats = 0.0
    for batch in (one.to(model.device) for one in evaluation):
        losses = model.loss(batch.tokens_BT, batch.targets_BT, batch.documents_BT)
        nats += float(losses.cross_entropy) * losses.tokens
    return nats / math.log(2) / evaluation.text_bytes


def validation(sets: Mapping[str, Evaluation]) -> Callable[[Transformer], Mapping[str, float]]:
    """The callback for a Trainer that measures bits per byte on each of the named sets.

    The measure of the set "" is called "bits_per_byte", that of "real" "real_bits_per_byte".
    """
    names = {f"{name}_bits_per_byte".removeprefix("_"): evaluation for name, evaluation in sets.items()}
    return lambda model: {name: bits_per_byte(model, evaluation) for name, evaluation in names.items()}
