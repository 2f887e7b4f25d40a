"""The sigmoid, group-limited top-k router, its load balance and its measures.

DeepSeek-V3 (arXiv 2412.19437), section 2.1.2: a bias per expert steers the selection and never enters the gate value;
after each optimiser step it moves against the load. A small sequence-wise loss keeps single sequences from collapsing.

Shape letters: N tokens, D hidden size, E experts, G groups, K experts per token, B sequences, T positions, M real
tokens, L sparse layers.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from axk1.arch import ModelConfig


class RouterOutput(NamedTuple):
    """One layer's decision: chosen experts (int64), their gate values and all sigmoid scores (float32)."""

    chosen_NK: Tensor
    weight_NK: Tensor
    scores_NE: Tensor


class Router(nn.Module):
    """Always computes in float32, whatever the dtype of the model."""

    e_score_correction_bias: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.empty(config.n_routed_experts, config.hidden_size))
        self.register_buffer("e_score_correction_bias", torch.zeros(config.n_routed_experts, dtype=torch.float32))

    def forward(self, x_ND: Tensor) -> RouterOutput:
        scores_NE = functional.linear(x_ND.float(), self.weight.float()).sigmoid()
        chosen_NK = self._choose(scores_NE.detach() + self.e_score_correction_bias)
        weight_NK = scores_NE.gather(1, chosen_NK)
        if self.config.norm_topk_prob:
            weight_NK = weight_NK / (weight_NK.sum(-1, keepdim=True) + 1e-20)
        return RouterOutput(chosen_NK, weight_NK * self.config.routed_scaling_factor, scores_NE)

    def _choose(self, biased_NE: Tensor) -> Tensor:
        """The best K experts among the groups whose two best experts add up to most."""
        config = self.config
        if config.topk_group < config.n_group:
            biased_NGE = biased_NE.view(len(biased_NE), config.n_group, -1)
            group_NG = biased_NGE.topk(2, dim=-1).values.sum(-1)
            kept_NG = torch.zeros_like(group_NG, dtype=torch.bool)
            kept_NG.scatter_(1, group_NG.topk(config.topk_group, dim=-1, sorted=False).indices, value=True)
            biased_NE = biased_NGE.masked_fill(~kept_NG.unsqueeze(-1), float("-inf")).flatten(1)
        return biased_NE.topk(config.num_experts_per_tok, dim=-1, sorted=False).indices


def load(route: RouterOutput, real_BT: Tensor) -> Tensor:
    """How many real tokens each expert got: int64 [E]. Counted from the outcome, so recomputation cannot count twice.

    `real_BT` is false for padding; columns beyond the route's own (an MTP layer runs on fewer) are not looked at.
    """
    real_N1 = _of_route(route, real_BT).reshape(-1, 1).long()
    # neither a boolean index nor bincount: both ask an accelerator for a size before they go on
    count_E = real_N1.new_zeros(route.scores_NE.shape[1])
    return count_E.scatter_add_(0, route.chosen_NK.flatten(), real_N1.expand_as(route.chosen_NK).flatten())


def balance_loss(route: RouterOutput, real_BT: Tensor) -> Tensor:
    """Mean over sequences of sum_e f_e P_e (equations 17 to 20, without alpha) over real tokens; 1 when even."""
    real_BT = _of_route(route, real_BT).float()
    (batch, length), experts, k = real_BT.shape, route.scores_NE.shape[1], route.chosen_NK.shape[1]
    tokens_B1 = real_BT.sum(1, keepdim=True).clamp_min(1.0)
    count_BE = torch.zeros(batch, experts, device=real_BT.device)
    count_BE.scatter_add_(1, route.chosen_NK.view(batch, -1), real_BT.repeat_interleave(k, dim=1))
    scores_BTE = route.scores_NE.view(batch, length, experts)
    shares_BTE = scores_BTE / scores_BTE.sum(-1, keepdim=True)
    share_BE = (shares_BTE * real_BT.unsqueeze(-1)).sum(1) / tokens_B1
    loss: Tensor = (count_BE * (experts / k) / tokens_B1 * share_BE).sum(-1).mean()
    return loss


def _of_route(route: RouterOutput, real_BT: Tensor) -> Tensor:
    return real_BT[:, : len(route.chosen_NK) // len(real_BT)]


def steered_bias(bias_LE: Tensor, load_LE: Tensor, rate: float) -> Tensor:
    """The bias after one step: down by `rate` where the load is above the layer's mean, up where below, mean 0."""
    excess_LE = load_LE.float() - load_LE.float().mean(-1, keepdim=True)
    moved_LE = bias_LE - rate * excess_LE.sign()
    return moved_LE - moved_LE.mean(-1, keepdim=True)


def overload(load_LE: Tensor) -> Tensor:
    """The busiest expert's load over the layer's mean, minus 1 (MaxVio of arXiv 2408.15664): float32 [L], 0 is even."""
    load_LE = load_LE.float()
    return load_LE.amax(-1) / load_LE.mean(-1).clamp_min(1e-9) - 1.0
