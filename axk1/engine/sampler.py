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
_LIKELY = 1024  # so many tokens nearly always hold the mass that top_p asks for; sorting them all takes far longer


@dataclass(frozen=True)
class Logprob:
    """The natural logarithm of a token's probability, and its rank among all tokens, 1 for the likeliest."""

    logprob: float
    rank: int


def sample(logits_V: Floats, params: SamplingParams, number: float) -> int:
    """The id chosen from adjusted logits; `number` from [0, 1) picks one of the candidates by their probabilities."""
    if params.greedy:
        return int(logits_V.argmax())
    ids_C, probability_C = candidates(logits_V, params)
    total_C = probability_C.cumsum()
    return int(ids_C[np.searchsorted(total_C, number * total_C[-1], side="right").clip(max=len(ids_C) - 1)])


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


def candidates(logits_V: Floats, params: SamplingParams) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The ids that may be chosen and their weights (float64, likeliest first where they are sorted, not normalised)."""
    wide_V = logits_V.astype(np.float64)
    with np.errstate(over="ignore"):  # the smallest temperatures: -inf is what is meant
        weight_V = np.exp((wide_V - wide_V.max()) / params.temperature)
    ids_C = np.flatnonzero(weight_V >= params.min_p) if params.min_p else np.arange(len(weight_V))
    if 0 < params.top_k < len(ids_C):
        ids_C = _top(weight_V, ids_C, params.top_k)
    if params.top_p < 1:
        ids_C = _nucleus(weight_V, ids_C, params.top_p)
    return ids_C, weight_V[ids_C]


def _nucleus(weight_V: NDArray[np.float64], ids_C: NDArray[np.int64], top_p: float) -> NDArray[np.int64]:
    """The smallest set of the likeliest tokens whose share of the weight is at least `top_p` (arXiv 1904.09751)."""
    goal = top_p * weight_V[ids_C].sum()
    likely = _top(weight_V, ids_C, _LIKELY)
    if weight_V[likely].sum() < goal:
        likely = _top(weight_V, ids_C, len(ids_C))
    before = weight_V[likely].cumsum() - weight_V[likely]
    kept_C: NDArray[np.int64] = likely[before < goal]
    return kept_C


def _top(weight_V: NDArray[np.float64], ids_C: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The `count` likeliest of the ids, likeliest first, of equal ones the lower id."""
    if count < len(ids_C):
        smallest = np.partition(weight_V[ids_C], -count)[-count]
        above, equal = ids_C[weight_V[ids_C] > smallest], ids_C[weight_V[ids_C] == smallest]
        ids_C = np.sort(np.concatenate((above, equal[: count - len(above)])))
    sorted_C: NDArray[np.int64] = ids_C[np.argsort(-weight_V[ids_C], kind="stable")]
    return sorted_C


def logprobs(logits_V: Floats, token: int, count: int) -> Mapping[int, Logprob]:
    """The token's log-probability and those of the `count` likeliest, by id, under the model's own distribution: before
    bias, penalties, masks and temperature, as vLLM reports them."""
    wide_V = logits_V.astype(np.float64)
    log_total = np.log(np.exp(wide_V - wide_V.max()).sum()) + wide_V.max()
    ids = [int(one) for one in _top(wide_V, np.arange(len(wide_V)), count)] if count else []
    found = {one: Logprob(float(wide_V[one] - log_total), rank) for rank, one in enumerate(ids, 1)}
    if token not in found:
        rank = int((wide_V > wide_V[token]).sum()) + 1
        found[token] = Logprob(float(wide_V[token] - log_total), rank)
    return found
