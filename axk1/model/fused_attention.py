"""MLA's attention by blocks of queries, on heads of their own sizes, with a hand-written backward pass.

The keys after a block's last query are never multiplied, the probabilities are kept for the backward pass.

Shape letters: B sequences, T positions, H heads, Z = B * H, Q query/key head size, C nope + value, V value head size,
R rotary size, P = R / 2, q queries of a block, e keys up to its last query, A = H * V.
"""

from __future__ import annotations

import ctypes
from ctypes import c_float, c_int64
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from axk1.model.native import kind, load, pointer

QUERY_BLOCK = 256


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
        gk_ZTQ = gv_ZTV = torch.empty(0)
        # The last block sees every key: it makes the sums, the others add to them in float32.
        for start, p_ZqT in reversed(list(zip(range(0, s.t, QUERY_BLOCK), blocks, strict=True))):
            end = start + p_ZqT.shape[1]
            gs_ZqT = torch.bmm(g_ZTV[:, start:end], v_ZTV[:, :end].transpose(1, 2))
            load().axk1_softmax_backward(
                *(pointer(p_ZqT), pointer(gs_ZqT), kind(p_ZqT), pointer(first_BT), pointer(delta_BTH)),
                *(c_float(ctx.scale), c_int64(s.b), c_int64(s.h), c_int64(end - start), c_int64(end)),
                *(c_int64(start), c_int64(s.t)),
            )
            torch.bmm(gs_ZqT, k_ZTQ[:, :end], out=gq_ZTQ[:, start:end])
            gk_ZeQ = torch.bmm(gs_ZqT.transpose(1, 2), q_ZTQ[:, start:end])
            gv_ZeV = torch.bmm(p_ZqT.transpose(1, 2), g_ZTV[:, start:end])
            if end == s.t:
                gk_ZTQ, gv_ZTV = gk_ZeQ.float(), gv_ZeV.float()
            else:
                gk_ZTQ[:, :end] += gk_ZeQ
                gv_ZTV[:, :end] += gv_ZeV
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
