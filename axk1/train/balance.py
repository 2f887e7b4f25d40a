"""How evenly the routers use their experts, over the run.

L = sparse layers, E = routed experts.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from axk1.model.router import overload

__all__ = ["Balance", "LoadMeter"]

# The running mean forgets over some 1 / (1 - this) steps.
_DECAY = 0.95
# An expert is called dead when its running load is below this share of an even load.
_DEAD = 0.01


@dataclass(frozen=True)
class Balance:
    """Of one optimiser step. Violation = (largest load - mean load) / mean load of a layer (see `overload`)."""

    worst_violation: float = 0.0  # of the worst layer ("maxvio")
    mean_violation: float = 0.0  # over the layers
    least_load: float = 1.0  # of the least used expert; 1 is an even share
    dead_experts: int = 0  # by the running mean, over all layers


class LoadMeter:
    """Keeps the running mean load per expert, which tells a dead expert from one that had a quiet step."""

    def __init__(self, layers: int, experts: int) -> None:
        self.mean_LE = torch.ones(layers, experts, dtype=torch.float64)

    def measure(self, load_LE: Tensor) -> Balance:
        """Take in the token counts (int64) of one optimiser step; layers without tokens (unused MTP) do not count."""
        used_L = load_LE.sum(-1) > 0
        if not used_L.any():
            return Balance()
        even_LE = load_LE[used_L].double() / load_LE[used_L].double().mean(-1, keepdim=True)
        self.mean_LE[used_L] = self.mean_LE[used_L] * _DECAY + even_LE * (1 - _DECAY)
        violation_L = overload(load_LE[used_L])
        return Balance(
            worst_violation=float(violation_L.max()),
            mean_violation=float(violation_L.mean()),
            least_load=float(even_LE.min()),
            dead_experts=int((self.mean_LE < _DEAD).sum()),
        )
