"""The sparse feed-forward: a sigmoid router in groups, experts (DeepSeek-V3, arXiv 2412.19437, section 2.1.2).

Shape letters: N tokens, D hidden size, E experts, G groups, K experts per token, F inner size, M tokens of one expert.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from axk1.arch import ModelConfig
from axk1.engine.reference.arithmetic import Floats, linear, sigmoid, swiglu

__all__ = ["SparseMlp", "route"]


class SparseMlp:
    """Routed sum plus shared experts; `weight` gives a parameter by its name without the prefix."""

    def __init__(self, config: ModelConfig, weight: Callable[[str], Floats]) -> None:
        self._config = config
        self._gate_ED, self._bias_E = weight("gate.weight"), weight("gate.e_score_correction_bias")
        self._gate_up_EGD, self._down_EDF = weight("experts.gate_up_proj"), weight("experts.down_proj")
        shared = (weight(f"shared_experts.{part}_proj.weight") for part in ("gate", "up"))
        self._shared_gate_up, self._shared_down = np.concatenate([*shared]), weight("shared_experts.down_proj.weight")

    def __call__(self, x_ND: Floats) -> Floats:
        """[N, D] -> [N, D]"""
        chosen_NK, weight_NK = route(linear(x_ND, self._gate_ED), self._bias_E, self._config)
        out_ND = swiglu(x_ND, self._shared_gate_up, self._shared_down)
        for expert in np.unique(chosen_NK):
            token_M, place_M = np.nonzero(chosen_NK == expert)  # a token names an expert at most once
            y_MD = swiglu(x_ND[token_M], self._gate_up_EGD[expert], self._down_EDF[expert])
            out_ND[token_M] += y_MD * weight_NK[token_M, place_M, None]
        return out_ND


def route(logits_NE: Floats, bias_E: Floats, config: ModelConfig) -> tuple[NDArray[np.int64], Floats]:
    """The experts of each token [N, K] and their gate values.

    The bias steers the choice and never enters the gate value. Of equal scores the lower index wins.
    """
    scores_NE = sigmoid(logits_NE)
    biased_NE = scores_NE + bias_E
    if config.topk_group < config.n_group:
        biased_NE = _best_groups(biased_NE, config)
    chosen_NK = _top(biased_NE, config.num_experts_per_tok)
    weight_NK = np.take_along_axis(scores_NE, chosen_NK, axis=1)
    if config.norm_topk_prob:
        weight_NK = weight_NK / (weight_NK.sum(axis=1, keepdims=True) + np.float32(1e-20))
    return chosen_NK, weight_NK * np.float32(config.routed_scaling_factor)


def _best_groups(biased_NE: Floats, config: ModelConfig) -> Floats:
    """-inf for all but the `topk_group` groups whose two best experts add up to most."""
    biased_NGE = biased_NE.reshape(len(biased_NE), config.n_group, -1)
    group_NG = np.sort(biased_NGE, axis=-1)[..., -2:].sum(axis=-1)
    kept_NG = np.zeros(group_NG.shape, bool)
    np.put_along_axis(kept_NG, _top(group_NG, config.topk_group), values=True, axis=1)
    return np.where(kept_NG[..., None], biased_NGE, np.float32(-np.inf)).reshape(biased_NE.shape)


def _top(values: Floats, count: int) -> NDArray[np.int64]:
    """The places of the largest values of each row, largest first; equal ones keep their order."""
    return np.argsort(-values, axis=1, kind="stable")[:, :count]
