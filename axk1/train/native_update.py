"""The optimiser's two passes over memory, the gradient norm and AdamW's update, as C kernels.

P = the numbers of one parameter, laid flat.
"""

import ctypes
import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from axk1.model.native import kind, load, pointer

__all__ = ["AdamWStep", "global_norm", "muon_apply", "muon_direction", "update"]


class _Step(ctypes.Structure):
    """Mirrors `axk1_adamw_step` in kernels.h."""

    _fields_ = tuple(
        (name, ctypes.c_float)
        for name in ("lr", "beta1", "beta2", "eps", "weight_decay", "correction1", "correction2", "grad_scale")
    )


@dataclass(frozen=True)
class AdamWStep:
    """The numbers of one AdamW step; `step` counts from 1, `grad_scale` multiplies the gradient on the way."""

    lr: float
    beta1: float
    beta2: float
    eps: float
    weight_decay: float
    step: int
    grad_scale: float = 1.0

    @property
    def correction1(self) -> float:
        """What the first moment is divided by, since it starts at zero."""
        return 1.0 - self.beta1**self.step

    @property
    def correction2(self) -> float:
        """The same for the second moment."""
        return 1.0 - self.beta2**self.step


def update(
    master: Tensor, exp_avg: Tensor, exp_avg_sq: Tensor, grad: Tensor, param: Tensor, settings: AdamWStep
) -> None:
    """`adamw.update` in one pass: each number is read once and written once."""
    mirrored = _Step(*(getattr(settings, name) for name, _ in _Step._fields_))
    load().axk1_adamw(
        *(ctypes.byref(mirrored), pointer(master), pointer(exp_avg), pointer(exp_avg_sq)),
        *(pointer(grad), kind(grad), pointer(param), kind(param), ctypes.c_int64(master.numel())),
    )


def muon_direction(grad: Tensor, momentum: Tensor, beta: float, grad_scale: float, dtype: torch.dtype) -> Tensor:
    """`muon.direction` in one pass over contiguous tensors of one shape."""
    out = torch.empty_like(momentum, dtype=dtype)
    load().axk1_muon_direction(
        *(pointer(grad), kind(grad), pointer(momentum), pointer(out), kind(out)),
        *(ctypes.c_float(beta), ctypes.c_float(grad_scale), ctypes.c_int64(out.numel())),
    )
    return out


def muon_apply(update: Tensor, master: Tensor, parameter: Tensor, decay: float, rate: float) -> None:
    """`muon.apply` in one pass over contiguous tensors of one shape."""
    load().axk1_muon_apply(
        *(pointer(update), kind(update), pointer(master), pointer(parameter), kind(parameter)),
        *(ctypes.c_float(decay), ctypes.c_float(rate), ctypes.c_int64(master.numel())),
    )


def global_norm(gradients: Iterable[Tensor]) -> float:
    """The Euclidean norm over all tensors; blocks in fp32, their sum in double."""
    scratch = torch.empty(load().axk1_threads(), dtype=torch.float64)
    flat = [gradient.reshape(-1) for gradient in gradients]
    return math.sqrt(
        sum(
            load().axk1_sum_of_squares(pointer(g_P), kind(g_P), ctypes.c_int64(g_P.numel()), pointer(scratch))
            for g_P in flat
        )
    )
