"""The operators as fused C kernels around torch's matrix products, each with a hand-written backward pass.

What it saves against `PlainOperators`: one pass over memory per operator instead of several; tokens sorted by expert
once; attention without padding and without half of the masked half; the logits' gradient made in the logits' memory.

Shape letters: B sequences, T positions, H heads, Q query/key head size, C nope + value, R rotary size, P = R / 2,
N tokens, D hidden size, F expert inner size, G = 2F, E experts, K experts per token, W vocabulary.
"""

from __future__ import annotations

from ctypes import c_int64
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from axk1.model.fused_attention import Attention
from axk1.model.fused_experts import Experts
from axk1.model.fused_rows import RmsNorm, Swiglu
from axk1.model.native import kind, load, pointer
from axk1.model.plain import IGNORED


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
