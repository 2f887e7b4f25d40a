"""Fused operators that work row by row: RMSNorm and SwiGLU, each one pass forward and one back.

Shape letters: N rows, D row width, F half of a SwiGLU row.
"""

from __future__ import annotations

from ctypes import c_float, c_int64
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from axk1.model.native import kind, load, pointer


class RmsNorm(torch.autograd.Function):
    """y = x / rms(x) * weight over the last axis; float32 inside."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        d = x.shape[-1]
        n = x.numel() // d
        y, inverse_N = torch.empty_like(x), torch.empty(n)
        scale_D = weight.float()
        load().axk1_rms_norm(
            *(pointer(x), kind(x), pointer(scale_D), pointer(y), kind(y), pointer(inverse_N)),
            *(c_int64(n), c_int64(d), c_float(eps)),
        )
        ctx.save_for_backward(x, weight, inverse_N)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, inverse_N = ctx.saved_tensors
        g, scale_D, d = g.contiguous(), weight.float(), x.shape[-1]
        gx, gw_D = torch.empty_like(x), torch.empty(d)
        scratch = torch.empty(load().axk1_threads(), d)
        load().axk1_rms_norm_backward(
            *(pointer(g), kind(g), pointer(x), kind(x), pointer(scale_D), pointer(inverse_N)),
            *(pointer(gx), pointer(gw_D), pointer(scratch), c_int64(x.numel() // d), c_int64(d)),
        )
        return gx, gw_D.to(weight.dtype), None


class Swiglu(torch.autograd.Function):
    """silu(gate) * up for the two halves of the last axis."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return swiglu(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return swiglu_backward(g.contiguous(), x)


def swiglu(x: Tensor) -> Tensor:
    """[..., 2F] -> [..., F], without autograd."""
    f = x.shape[-1] // 2
    y = x.new_empty(*x.shape[:-1], f)
    load().axk1_swiglu(pointer(x), pointer(y), kind(x), c_int64(y.numel() // f), c_int64(f))
    return y


def swiglu_backward(g: Tensor, x: Tensor) -> Tensor:
    """Gradient of `swiglu` with respect to x, given that of its result."""
    gx, f = torch.empty_like(x), g.shape[-1]
    load().axk1_swiglu_backward(pointer(g), pointer(x), pointer(gx), kind(x), c_int64(g.numel() // f), c_int64(f))
    return gx
