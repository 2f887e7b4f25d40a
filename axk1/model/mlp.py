"""The dense SwiGLU feed-forward, also used as the shared expert.

Shape letters: N or B, T tokens, D hidden size, F inner size, G = 2F.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from axk1.model.operators import Operators


class MLP(nn.Module):
    """down(silu(gate x) * up x)."""

    def __init__(self, hidden_size: int, inner_size: int, operators: Operators) -> None:
        super().__init__()
        self.operators = operators
        self.gate_proj = nn.Linear(hidden_size, inner_size, bias=False)
        self.up_proj = nn.Linear(hidden_size, inner_size, bias=False)
        self.down_proj = nn.Linear(inner_size, hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        # Joining the two weights costs less than joining the two outputs once there are more tokens than D.
        gate_up_GD = torch.cat((self.gate_proj.weight, self.up_proj.weight))
        out: Tensor = self.down_proj(self.operators.swiglu(functional.linear(x, gate_up_GD)))
        return out
