"""Routed experts on tokens sorted by expert, with a hand-written backward pass.

Sorted once, every expert is two plain matrix products; their weight gradients are written in place, where autograd
would fill a tensor of all experts for each. In bfloat16 a C kernel takes all experts in one call, elsewhere torch
multiplies expert by expert.

Shape letters: N tokens, D hidden size, F expert inner size, G = 2F, E experts, K experts per token, M = N * K sorted
pairs of token and expert, A and B the two sides of a product.
"""

from __future__ import annotations

from ctypes import Array, c_int, c_int64
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from axk1.model.fused_rows import swiglu, swiglu_backward
from axk1.model.native import kind, load, pointer


class Experts(torch.autograd.Function):
    """Routed experts: sort the (token, expert) pairs, two GEMMs per expert, weighted sum back."""

    @staticmethod
    def forward(
        ctx: Any, x_ND: Tensor, gate_up_EGD: Tensor, down_EDF: Tensor, chosen_NK: Tensor, weight_NK: Tensor
    ) -> Tensor:
        (n, d), k, experts = x_ND.shape, chosen_NK.shape[1], len(gate_up_EGD)
        counts_E, slot_NK = torch.empty(experts, dtype=torch.int64), torch.empty_like(chosen_NK)
        load().axk1_sort_by_expert(
            pointer(chosen_NK), pointer(counts_E), pointer(slot_NK), c_int64(n), c_int64(k), c_int64(experts)
        )
        counts = counts_E.tolist()
        x_MD = x_ND.new_empty(n * k, d)
        load().axk1_scatter_rows(
            pointer(x_ND), pointer(slot_NK), pointer(x_MD), kind(x_ND), c_int64(n), c_int64(k), c_int64(d)
        )
        gate_up_MG = grouped_gemm(x_MD, gate_up_EGD.transpose(1, 2), counts)
        y_MD = grouped_gemm(swiglu(gate_up_MG), down_EDF.transpose(1, 2), counts)
        weight_NK = weight_NK.float().contiguous()
        ctx.save_for_backward(x_MD, gate_up_EGD, down_EDF, slot_NK, weight_NK, gate_up_MG, y_MD)
        ctx.counts = counts
        return combine(y_MD, slot_NK, weight_NK)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_ND: Tensor) -> tuple[Tensor, Tensor, Tensor, None, Tensor]:
        x_MD, gate_up_EGD, down_EDF, slot_NK, weight_NK, gate_up_MG, y_MD = ctx.saved_tensors
        g_ND, (n, k), d = g_ND.contiguous(), slot_NK.shape, x_MD.shape[1]
        gy_MD, gweight_NK = torch.empty_like(y_MD), torch.empty_like(weight_NK)
        load().axk1_combine_backward(
            *(pointer(g_ND), pointer(y_MD), pointer(slot_NK), pointer(weight_NK), pointer(gy_MD), pointer(gweight_NK)),
            *(kind(g_ND), c_int64(n), c_int64(k), c_int64(d)),
        )
        inner_MF = swiglu(gate_up_MG)
        gdown_EDF = grouped_weight_gradient(gy_MD, inner_MF, ctx.counts, down_EDF)
        ginner_MF = grouped_gemm(gy_MD, down_EDF, ctx.counts)
        ggate_up_MG = swiglu_backward(ginner_MF, gate_up_MG)
        ggate_up_EGD = grouped_weight_gradient(ggate_up_MG, x_MD, ctx.counts, gate_up_EGD)
        gx_MD = grouped_gemm(ggate_up_MG, gate_up_EGD, ctx.counts)
        return combine(gx_MD, slot_NK, None), ggate_up_EGD, gdown_EDF, None, gweight_NK


def combine(y_MD: Tensor, slot_NK: Tensor, weight_NK: Tensor | None) -> Tensor:
    """Sum over a token's experts of weight * row (weight 1 where None): [M, D] -> [N, D]."""
    (n, k), d = slot_NK.shape, y_MD.shape[1]
    out_ND = y_MD.new_empty(n, d)
    load().axk1_combine(
        *(pointer(y_MD), pointer(slot_NK), pointer(weight_NK), pointer(out_ND), kind(y_MD)),
        *(c_int64(n), c_int64(k), c_int64(d)),
    )
    return out_ND


def grouped_gemm(x_MA: Tensor, weight_EAB: Tensor, counts: list[int]) -> Tensor:
    """Rows of expert e times weight[e]: [M, A] x [E, A, B] -> [M, B]. The weight may be a transposed view."""
    out_MB = x_MA.new_empty(len(x_MA), weight_EAB.shape[2])
    transposed = not weight_EAB.is_contiguous()
    if _has_kernel(x_MA, weight_EAB):
        load().axk1_grouped_gemm(
            *(pointer(x_MA), pointer(weight_EAB.mT if transposed else weight_EAB), pointer(out_MB), _int64s(counts)),
            *(c_int64(len(counts)), c_int64(weight_EAB.shape[1]), c_int64(weight_EAB.shape[2]), c_int(transposed)),
        )
        return out_MB
    pieces = zip(torch.split(x_MA, counts), weight_EAB.unbind(), torch.split(out_MB, counts), strict=True)
    for rows, weight, out in pieces:
        if len(rows):
            torch.mm(rows, weight, out=out)
    return out_MB


def grouped_weight_gradient(g_MA: Tensor, x_MB: Tensor, counts: list[int], like_EAB: Tensor) -> Tensor:
    """For every expert the transposed product of its rows: [E, A, B], zero for an expert without tokens."""
    out_EAB = torch.empty_like(like_EAB)
    if _has_kernel(g_MA, like_EAB):
        load().axk1_grouped_weight_gradient(
            *(pointer(g_MA), pointer(x_MB), pointer(out_EAB), _int64s(counts)),
            *(c_int64(len(counts)), c_int64(g_MA.shape[1]), c_int64(x_MB.shape[1])),
        )
        return out_EAB
    pieces = zip(torch.split(g_MA, counts), torch.split(x_MB, counts), out_EAB.unbind(), strict=True)
    for g, x, out in pieces:
        if len(g):
            torch.mm(g.t(), x, out=out)
        else:
            out.zero_()
    return out_EAB


def _has_kernel(x: Tensor, weight_EAB: Tensor) -> bool:
    """Whether the C product takes these: bfloat16, pairs along the inner size, and a CPU with the instruction."""
    return x.dtype == torch.bfloat16 and weight_EAB.shape[1] % 2 == 0 and load().axk1_has_grouped_gemm() == 1


def _int64s(values: list[int]) -> Array[c_int64]:
    return (c_int64 * len(values))(*values)
