"""What an optimiser is to the training loop, and the parts that every optimiser shares.

Parameters may be bf16 (with bf16 gradients); the fp32 master that the optimiser updates is rounded into them.
An fp32 parameter is its own master. P = the numbers of a tensor, laid flat.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from axk1.model import native
from axk1.train import native_update

__all__ = ["Optimizer", "OptimizerConfig", "global_norm", "master_of", "on_cpu", "restore"]

# Pieces of this many numbers stay in the second-level cache between two passes.
PIECE = 1 << 17


@dataclass(frozen=True)
class OptimizerConfig:
    """`name` is a plug-in of kind "optimizer"; the rest is read by the optimiser that has use for it."""

    name: str = "adamw"
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.1
    momentum: float = 0.95
    newton_schulz_steps: int = 5


class Optimizer(Protocol):
    """Built as `cls(parameters: Mapping[str, Tensor], config: OptimizerConfig)`."""

    def grad_norm(self) -> float:
        """The Euclidean norm of all gradients together, before any clipping."""

    def step(self, learning_rate: float, grad_scale: float = 1.0) -> None:
        """Update every parameter that has a gradient; `grad_scale` multiplies the gradients on the way (clipping)."""

    def zero_grad(self) -> None:
        """Forget the gradients."""

    def state_dict(self) -> dict[str, Tensor]:
        """All that a bit-for-bit resume needs besides the parameters, under flat names; the live tensors, no copies."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over a saved state. ValueError naming what is missing, surplus or misshapen."""


def master_of(parameter: Tensor) -> Tensor:
    """The fp32 numbers that the optimiser updates: the parameter itself when it is fp32, else a copy."""
    return parameter.detach() if parameter.dtype == torch.float32 else parameter.detach().float()


def global_norm(gradients: Iterable[Tensor]) -> float:
    """The Euclidean norm over all tensors. Read piece by piece in fp32 and summed in double: a whole bf16 tensor in
    one reduction would be converted in memory first, and loses digits in its long fp32 sum."""
    gradients = list(gradients)
    if not on_cpu(gradients):
        # one number crosses to the host; torch's norms of bf16 tensors add up in fp32
        norms = torch.stack(torch._foreach_norm([gradient.float() for gradient in gradients]))
        return float(torch.linalg.vector_norm(norms.double()))
    if native.available():
        return native_update.global_norm(gradients)
    total = 0.0
    for gradient in gradients:
        for piece_P in torch.split(gradient.reshape(-1), PIECE):
            exact_P = piece_P.float()
            total += float(torch.dot(exact_P, exact_P))
    return math.sqrt(total)


def on_cpu(tensors: Iterable[Tensor]) -> bool:
    """Whether the C kernels can read them all."""
    return all(tensor.device.type == "cpu" for tensor in tensors)


@torch.no_grad()
def restore(live: Mapping[str, Tensor], saved: Mapping[str, Tensor], what: str) -> None:
    """Copy `saved` into the tensors of the same names. ValueError if the names, shapes or formats differ."""
    if wrong := sorted(live.keys() ^ saved.keys()):
        side = "missing" if wrong[0] in live else "surplus"
        raise ValueError(f"{what}: {wrong[0]} is {side} in the saved state ({len(wrong)} names differ)")
    for name, tensor in live.items():
        found = saved[name]
        if (found.shape, found.dtype) != (tensor.shape, tensor.dtype):
            wanted = f"{tuple(tensor.shape)} {tensor.dtype}"
            raise ValueError(
                f"{what}: {name} is {tuple(found.shape)} {found.dtype} in the saved state, wanted {wanted}"
            )
        tensor.copy_(found)
