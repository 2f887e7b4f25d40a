"""The operators as fused C kernels around torch's GEMMs, each with a hand-written backward pass.

What it saves against `PlainOperators`: one pass over memory per operator instead of several; tokens sorted by expert
once, so that every expert is two plain GEMMs whose gradients are written in place; attention on unpadded head sizes
with the causal half skipped by blocks; the logits' gradient made in the logits' own memory.

Shape letters: B sequences, T positions, H heads, Z = B * H, Q query/key head size, C nope + value, V value head size,
R rotary size, P = R / 2, N tokens, D hidden size, F expert inner size, G = 2F, E experts, K experts per token,
M = N * K sorted pairs, W vocabulary.
"""

from __future__ import annotations

import ctypes
from ctypes import Array, c_float, c_int, c_int64
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from axk1.model.native import kind, load, pointer
from axk1.model.plain import IGNORED

QUERY_BLOCK = 256


class FusedOperators:
    """Implements `Operators` for float32 and bfloat16 tensors on the CPU."""

    def __init__(self) -> None:
        load()  # fails here, with the reason, rather than in the first step

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        return _apply(RmsNorm, x.contiguous(), weight, eps)

    def swiglu(self, gate_up: Tensor) -> Tensor:
        return _apply(Swiglu, gate_up.contiguous())

    def attention(
        self,
        q_BTHQ: Tensor,
        kv_BTHC: Tensor,
        k_rope_BTR: Tensor,
        cos_TP: Tensor,
        sin_TP: Tensor,
        scale: float,
        documents_BT: Tensor | None,
    ) -> Tensor:
        first_BT = first_visible(documents_BT, q_BTHQ.shape[0], q_BTHQ.shape[1])
        inputs = (q_BTHQ.contiguous(), kv_BTHC.contiguous(), k_rope_BTR.contiguous())
        return _apply(Attention, *inputs, cos_TP.contiguous(), sin_TP.contiguous(), scale, first_BT)

    def experts(
        self, x_ND: Tensor, gate_up_EGD: Tensor, down_EDF: Tensor, chosen_NK: Tensor, weight_NK: Tensor
    ) -> Tensor:
        return _apply(Experts, x_ND.contiguous(), gate_up_EGD, down_EDF, chosen_NK.contiguous(), weight_NK)

    def cross_entropy(self, hidden_ND: Tensor, head_WD: Tensor, targets_N: Tensor) -> Tensor:
        wanted = (targets_N != IGNORED).nonzero().squeeze(1)
        if len(wanted) < len(targets_N):  # fine-tuning learns from under half of the positions: no logits for the rest
            hidden_ND, targets_N = hidden_ND.index_select(0, wanted), targets_N.index_select(0, wanted)
        return _apply(CrossEntropy, hidden_ND.contiguous(), head_WD, targets_N.contiguous())


def _apply(function: type[torch.autograd.Function], *args: Any) -> Tensor:
    result: Tensor = function.apply(*args)  # type: ignore[no-untyped-call]
    return result


def first_visible(documents_BT: Tensor | None, batch: int, length: int) -> Tensor:
    """int32 [B, T]: the first position that each position may attend to (documents are runs of equal ids)."""
    if documents_BT is None:
        return torch.zeros(batch, length, dtype=torch.int32)
    starts_BT = torch.ones_like(documents_BT, dtype=torch.bool)
    starts_BT[:, 1:] = documents_BT[:, 1:] != documents_BT[:, :-1]
    positions_BT = torch.arange(length).expand(batch, length) * starts_BT
    return positions_BT.cummax(dim=1).values.to(torch.int32)


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


class Heads(ctypes.Structure):
    """Mirrors `axk1_heads` in kernels.h."""

    _fields_ = [(name, c_int64) for name in ("b", "t", "h", "nope", "rope", "value")]


class Attention(torch.autograd.Function):
    """MLA's attention: split and rotate the heads, causal softmax by query blocks, no padding, no T x T mask."""

    @staticmethod
    def forward(
        ctx: Any,
        q_BTHQ: Tensor,
        kv_BTHC: Tensor,
        k_rope_BTR: Tensor,
        cos_TP: Tensor,
        sin_TP: Tensor,
        scale: float,
        first_BT: Tensor,
    ) -> Tensor:
        (b, t, h, q_size), rope = q_BTHQ.shape, k_rope_BTR.shape[2]
        nope = q_size - rope
        heads = Heads(b, t, h, nope, rope, kv_BTHC.shape[3] - nope)
        q_ZTQ, k_ZTQ = q_BTHQ.new_empty(b * h, t, q_size), q_BTHQ.new_empty(b * h, t, q_size)
        v_ZTV = q_BTHQ.new_empty(b * h, t, heads.value)
        load().axk1_split_heads(
            *(ctypes.byref(heads), pointer(q_BTHQ), pointer(kv_BTHC), pointer(k_rope_BTR), pointer(cos_TP)),
            *(pointer(sin_TP), pointer(q_ZTQ), pointer(k_ZTQ), pointer(v_ZTV), kind(q_BTHQ)),
        )
        out_ZTV = torch.empty_like(v_ZTV)
        blocks = []
        for start in range(0, t, QUERY_BLOCK):
            end = min(start + QUERY_BLOCK, t)
            p_ZqT = probabilities(q_ZTQ, k_ZTQ, start, end, scale, first_BT, h)
            torch.bmm(p_ZqT, v_ZTV[:, :end], out=out_ZTV[:, start:end])
            blocks.append(p_ZqT)
        out_BTHV = out_ZTV.view(b, h, t, -1).transpose(1, 2).contiguous()
        ctx.save_for_backward(q_ZTQ, k_ZTQ, v_ZTV, out_BTHV, cos_TP, sin_TP, first_BT, *blocks)
        ctx.heads, ctx.scale = heads, scale
        return out_BTHV.flatten(2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_BTA: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None, None]:
        q_ZTQ, k_ZTQ, v_ZTV, out_BTHV, cos_TP, sin_TP, first_BT, *blocks = ctx.saved_tensors
        s: Heads = ctx.heads
        g_BTHV = g_BTA.contiguous().view_as(out_BTHV)
        delta_BTH = torch.empty(s.b, s.t, s.h)
        load().axk1_delta(
            *(pointer(g_BTHV), pointer(out_BTHV), pointer(delta_BTH), kind(g_BTHV)),
            *(c_int64(delta_BTH.numel()), c_int64(s.value)),
        )
        g_ZTV = g_BTHV.transpose(1, 2).contiguous().view_as(v_ZTV)
        gq_ZTQ = torch.empty_like(q_ZTQ)
        gk_ZTQ = torch.zeros_like(k_ZTQ, dtype=torch.float32)
        gv_ZTV = torch.zeros_like(v_ZTV, dtype=torch.float32)
        for start, p_ZqT in zip(range(0, s.t, QUERY_BLOCK), blocks, strict=True):
            end = start + p_ZqT.shape[1]
            gs_ZqT = torch.bmm(g_ZTV[:, start:end], v_ZTV[:, :end].transpose(1, 2))
            load().axk1_softmax_backward(
                *(pointer(p_ZqT), pointer(gs_ZqT), kind(p_ZqT), pointer(first_BT), pointer(delta_BTH)),
                *(c_float(ctx.scale), c_int64(s.b), c_int64(s.h), c_int64(end - start), c_int64(end)),
                *(c_int64(start), c_int64(s.t)),
            )
            torch.bmm(gs_ZqT, k_ZTQ[:, :end], out=gq_ZTQ[:, start:end])
            gk_ZTQ[:, :end] += torch.bmm(gs_ZqT.transpose(1, 2), q_ZTQ[:, start:end])
            gv_ZTV[:, :end] += torch.bmm(p_ZqT.transpose(1, 2), g_ZTV[:, start:end])
        return *merge_heads(s, gq_ZTQ, gk_ZTQ.to(q_ZTQ.dtype), gv_ZTV.to(q_ZTQ.dtype), cos_TP, sin_TP), *(None,) * 4


def probabilities(q_ZTQ: Tensor, k_ZTQ: Tensor, start: int, end: int, scale: float, first_BT: Tensor, h: int) -> Tensor:
    """softmax(scale * q k^T) of the queries start..end over the keys 0..end: [Z, end - start, end], Z = B * H."""
    p_ZqT = torch.bmm(q_ZTQ[:, start:end], k_ZTQ[:, :end].transpose(1, 2))
    b, t = first_BT.shape
    load().axk1_softmax(
        *(pointer(p_ZqT), kind(p_ZqT), pointer(first_BT), c_float(scale), c_int64(b), c_int64(h)),
        *(c_int64(end - start), c_int64(end), c_int64(start), c_int64(t)),
    )
    return p_ZqT


def merge_heads(
    s: Heads, gq_ZTQ: Tensor, gk_ZTQ: Tensor, gv_ZTV: Tensor, cos_TP: Tensor, sin_TP: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of q [B,T,H,Q], kv [B,T,H,C] and the shared rotary key [B,T,R] from those of the split heads."""
    gq_BTHQ = gq_ZTQ.new_empty(s.b, s.t, s.h, s.nope + s.rope)
    gkv_BTHC = gq_ZTQ.new_empty(s.b, s.t, s.h, s.nope + s.value)
    gk_rope_BTR = gq_ZTQ.new_empty(s.b, s.t, s.rope)
    load().axk1_split_heads_backward(
        *(ctypes.byref(s), pointer(gq_ZTQ), pointer(gk_ZTQ), pointer(gv_ZTV), pointer(cos_TP), pointer(sin_TP)),
        *(pointer(gq_BTHQ), pointer(gkv_BTHC), pointer(gk_rope_BTR), kind(gq_ZTQ)),
    )
    return gq_BTHQ, gkv_BTHC, gk_rope_BTR


class CrossEntropy(torch.autograd.Function):
    """Sum of -log softmax(hidden head^T)[target]; the [N, W] logits exist once, and become their own gradient."""

    @staticmethod
    def forward(ctx: Any, hidden_ND: Tensor, head_WD: Tensor, targets_N: Tensor) -> Tensor:
        logits_NW = hidden_ND @ head_WD.t()
        loss_N = torch.empty(len(logits_NW))
        load().axk1_cross_entropy(
            *(pointer(logits_NW), kind(logits_NW), pointer(targets_N), pointer(loss_N)),
            *(c_int64(len(logits_NW)), c_int64(logits_NW.shape[1])),
        )
        ctx.save_for_backward(hidden_ND, head_WD, logits_NW)
        return loss_N.sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, None]:
        hidden_ND, head_WD, glogits_NW = ctx.saved_tensors
        scale = g.item()  # applied to the small operands: the logits' gradient is not touched again
        ghidden_ND = (glogits_NW @ head_WD).mul_(scale)
        return ghidden_ND, glogits_NW.t() @ (hidden_ND * scale), None
