"""The optimisers' work as C kernels: the gradient norm, AdamW's update in one pass, a step of Muon.

P = the numbers of one parameter, laid flat; B matrices of M x N.
"""

import ctypes
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from axk1.model import native
from axk1.model.native import kind, load, pointer

__all__ = ["AdamWStep", "MuonStack", "MuonStep", "global_norm", "muon", "takes", "update"]


_STEP = ("lr", "beta1", "beta2", "eps", "weight_decay", "correction1", "correction2", "grad_scale")


class _Step(ctypes.Structure):
    """Mirrors `axk1_adamw_step` in kernels.h."""

    _fields_ = tuple((name, ctypes.c_float) for name in _STEP)


class _MuonStack(ctypes.Structure):
    """Mirrors `axk1_muon_stack` in kernels.h."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("grad", "momentum", "master", "parameter")),
        *((name, ctypes.c_int64) for name in ("matrices", "rows", "cols")),
        ("rate", ctypes.c_float),
    )


class _MuonStep(ctypes.Structure):
    """Mirrors `axk1_muon_step` in kernels.h."""

    _fields_ = (
        *((name, ctypes.c_float) for name in ("beta", "grad_scale", "decay")),
        ("iterations", ctypes.c_int32),
        ("coefficients", ctypes.POINTER(ctypes.c_float)),
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
    mirrored = _Step(*(getattr(settings, name) for name in _STEP))
    load().axk1_adamw(
        *(ctypes.byref(mirrored), pointer(master), pointer(exp_avg), pointer(exp_avg_sq)),
        *(pointer(grad), kind(grad), pointer(param), kind(param), ctypes.c_int64(master.numel())),
    )


@dataclass(frozen=True)
class MuonStack:
    """B matrices of M x N, one after the other: gradient and parameter of one format, momentum and master in fp32."""

    grad: Tensor
    momentum: Tensor
    master: Tensor
    parameter: Tensor
    shape: tuple[int, int, int]
    rate: float


@dataclass(frozen=True)
class MuonStep:
    """What all matrices of a step share; `polynomials` are the (a, b, c) of each iteration."""

    momentum: float
    grad_scale: float
    decay: float
    polynomials: Sequence[tuple[float, float, float]]


def takes(stack: MuonStack) -> bool:
    """Whether `muon` can step these matrices here: bf16 of even sizes, and a CPU with the instruction."""
    even = stack.shape[1] % 2 == 0 and stack.shape[2] % 2 == 0
    here = stack.parameter.dtype == torch.bfloat16 and stack.parameter.device.type == "cpu"
    return here and even and native.available() and load().axk1_has_muon() == 1


def muon(stacks: Sequence[MuonStack], step: MuonStep) -> None:
    """A whole step over all stacks, in place: what `muon.advance` does to each."""
    largest_first = sorted(stacks, key=lambda one: one.shape[1] * one.shape[2], reverse=True)
    array = (_MuonStack * len(stacks))(*(_mirrored(one) for one in largest_first))
    flat = [number for polynomial in step.polynomials for number in polynomial]
    numbers = (ctypes.c_float * len(flat))(*flat)
    shared = _MuonStep(step.momentum, step.grad_scale, step.decay, len(step.polynomials), numbers)
    if load().axk1_muon(array, ctypes.c_int64(len(stacks)), ctypes.byref(shared)):
        raise MemoryError("no memory for the scratch of a Muon step")


def _mirrored(one: MuonStack) -> _MuonStack:
    tensors = (one.grad, one.momentum, one.master, one.parameter)
    return _MuonStack(*map(pointer, tensors), *one.shape, one.rate)


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
