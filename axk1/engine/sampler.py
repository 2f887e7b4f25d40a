"""From logits to a token: penalties, bias, temperature, top-k, min-p, top-p, one random number; and log-probabilities.

In vLLM's order: the structure's mask, the bias and the penalties; then the likeliest token if the temperature is 0;
else temperature, min-p, top-k, top-p. The random number depends on the request's seed and on how many tokens it has,
never on its neighbours in the batch.

Shape letters: V vocabulary, C candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from axk1.chat.sampling import SamplingParams

__all__ = ["Logprob", "adjusted", "candidates", "logprobs", "sample", "uniform"]

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

_LIKELY = (1e-2, 1e-4, 1e-6, 0.0)  # weights that nearly always hold what top_p asks for: sorting all takes far longer
_COLDEST, _HOTTEST = 1e-30, 1e30  # beyond these, dividing by the temperature would leave float32


@dataclass(frozen=True)
class Logprob:
    """The natural logarithm of a token's probability, and its rank among all tokens, 1 for the likeliest."""

    logprob: float
    rank: int


def sample(logits_V: Floats, params: SamplingParams, number: float) -> int:
    """The id chosen from adjusted logits; `number` from [0, 1) picks one of the candidates by their weights."""
    if params.greedy:
        return int(logits_V.argmax())
    ids_C, weight_C = candidates(logits_V, params)
    total_C = weight_C.cumsum(dtype=np.float64)
    place = np.searchsorted(total_C, number * total_C[-1], side="right")
    return int(ids_C[min(int(place), len(ids_C) - 1)])


def uniform(seed: int, step: int) -> float:
    """A number from [0, 1) for the `step`-th token of a request: the Philox generator, which jumps to any place."""
    return float(np.random.Generator(np.random.Philox(key=[seed, step])).random())


def adjusted(
    logits_V: Floats,
    params: SamplingParams,
    prompt: Sequence[int],
    completion: Sequence[int],
    allowed_V: NDArray[np.bool_] | None = None,
) -> Floats:
    """Logits under the structure's mask, the bias and the penalties; a new array if anything changes.

    repetition_penalty (arXiv 1909.05858) divides positive logits and multiplies negative ones of every token that has
    occurred; frequency_penalty is subtracted for each time the completion has the token, presence_penalty once.
    """
    if allowed_V is not None:
        logits_V = np.where(allowed_V, logits_V, np.float32(-np.inf))
    if params.logit_bias:
        logits_V = logits_V.copy()
        logits_V[list(params.logit_bias)] += np.array(list(params.logit_bias.values()), np.float32)
    if params.repetition_penalty != 1:
        logits_V = _less_repetition(logits_V, params.repetition_penalty, np.unique([*prompt, *completion]))
    if completion and (params.presence_penalty or params.frequency_penalty):
        ids, counts = np.unique(np.asarray(completion), return_counts=True)
        logits_V = logits_V.copy()
        logits_V[ids] -= (params.presence_penalty + params.frequency_penalty * counts).astype(np.float32)
    return logits_V


def _less_repetition(logits_V: Floats, penalty: float, ids: NDArray[np.int64]) -> Floats:
    logits_V = logits_V.copy()
    factor = np.float32(penalty)
    logits_V[ids] = np.where(logits_V[ids] > 0, logits_V[ids] / factor, logits_V[ids] * factor)
    return logits_V


def candidates(logits_V: Floats, params: SamplingParams) -> tuple[Ids, Floats]:
    """The ids that may be chosen and their weights, relative to the likeliest; sorted under top_k and top_p."""
    weight_V = _weights(logits_V, params.temperature)
    ids_C = np.flatnonzero(weight_V >= params.min_p) if params.min_p else None  # None: all
    if 0 < params.top_k < (len(weight_V) if ids_C is None else len(ids_C)):
        ids_C = _among(ids_C, _top(_at(logits_V, ids_C), params.top_k))
    if params.top_p < 1:
        ids_C = _among(ids_C, _nucleus(_at(logits_V, ids_C), _at(weight_V, ids_C), params.top_p))
    return np.arange(len(weight_V)) if ids_C is None else ids_C, _at(weight_V, ids_C)


def _at(values_V: Floats, ids_C: Ids | None) -> Floats:
    return values_V if ids_C is None else values_V[ids_C]


def _among(ids_C: Ids | None, places: Ids) -> Ids:
    return places if ids_C is None else ids_C[places]


def _weights(logits_V: Floats, temperature: float = 1.0) -> Floats:
    """e^((x - max) / temperature) in float32: at 160,000 tokens a tenth of the time that float64 takes."""
    with np.errstate(over="ignore"):  # the smallest temperatures: -inf is what is meant
        scaled_V = (logits_V - logits_V.max()) / np.float32(min(max(temperature, _COLDEST), _HOTTEST))
        weights: Floats = np.exp(scaled_V)
    return weights


def _nucleus(logits_C: Floats, weight_C: Floats, top_p: float) -> Ids:
    """The places of the fewest likeliest whose share of the weight is `top_p` or more (arXiv 1904.09751)."""
    goal = top_p * weight_C.sum(dtype=np.float64)
    for least in _LIKELY:
        place_C = np.flatnonzero(weight_C >= least)
        if weight_C[place_C].sum(dtype=np.float64) >= goal:
            break
    place_C = place_C[np.argsort(-logits_C[place_C], kind="stable")]
    total_C = weight_C[place_C].cumsum(dtype=np.float64)
    return place_C[: int(np.searchsorted(total_C, goal)) + 1]


def _top(values: Floats, count: int) -> Ids:
    """The places of the `count` largest values, largest first, of equal ones the lower place."""
    places = np.arange(len(values))
    if count < len(values):
        smallest = np.partition(values, -count)[-count]
        above, equal = np.flatnonzero(values > smallest), np.flatnonzero(values == smallest)
        places = np.sort(np.concatenate((above, equal[: count - len(above)])))
    ordered: Ids = places[np.argsort(-values[places], kind="stable")]
    return ordered


def logprobs(logits_V: Floats, token: int, count: int) -> Mapping[int, Logprob]:
    """The token's log-probability and those of the `count` likeliest, by id, under the model's own distribution: before
    bias, penalties, masks and temperature, as vLLM reports them."""
    log_total = float(np.log(_weights(logits_V).sum(dtype=np.float64))) + float(logits_V.max())
    ids = [int(one) for one in _top(logits_V, count)] if count else []
    found = {one: Logprob(float(logits_V[one]) - log_total, rank) for rank, one in enumerate(ids, 1)}
    if token not in found:
        found[token] = Logprob(float(logits_V[token]) - log_total, int((logits_V > logits_V[token]).sum()) + 1)
    return found
