"""The sparse feed-forward: routed experts plus shared ones (DeepSeekMoE, arXiv 2401.06066).

Shape letters: B sequences, T positions, N = B * T tokens, D hidden size, E experts, F inner size, G = 2F.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from axk1.arch import ModelConfig
from axk1.model.mlp import MLP
from axk1.model.operators import Operators
from axk1.model.router import Router, RouterOutput


class Experts(nn.Module):
    """The weights of all routed experts of a layer as two tensors: gate rows above up rows, and down."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        experts, inner, hidden = config.n_routed_experts, config.moe_intermediate_size, config.hidden_size
        self.gate_up_proj = nn.Parameter(torch.empty(experts, 2 * inner, hidden))
        self.down_proj = nn.Parameter(torch.empty(experts, hidden, inner))


class MoE(nn.Module):
    """Routed sum plus shared experts; also returns the router's decision, for the balance loss and the load counts."""

    def __init__(self, config: ModelConfig, operators: Operators) -> None:
        super().__init__()
        self.operators = operators
        self.gate = Router(config)
        self.experts = Experts(config)
        self.shared_experts = MLP(config.hidden_size, config.moe_intermediate_size * config.n_shared_experts, operators)

    def forward(self, x_BTD: Tensor) -> tuple[Tensor, RouterOutput]:
        x_ND = x_BTD.flatten(0, 1)
        route: RouterOutput = self.gate(x_ND)
        routed_ND = self.operators.experts(
            x_ND, self.experts.gate_up_proj, self.experts.down_proj, route.chosen_NK, route.weight_NK
        )
        return routed_ND.view_as(x_BTD) + self.shared_experts(x_BTD), route
