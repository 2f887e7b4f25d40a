"""RMSNorm as a module: a weight, an epsilon, and the operator that computes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from axk1.model.operators import Operators


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight over the last axis (Zhang and Sennrich 2019)."""

    def __init__(self, size: int, eps: float, operators: Operators) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps
        self.operators = operators

    def forward(self, x: Tensor) -> Tensor:
        return self.operators.rms_norm(x, self.weight, self.eps)
