"""The operators in plain torch: short enough to read at a glance, and the oracle every faster set is tested against.

Shape letters: B sequences, T positions, H heads, Q = O + R query/key head size, O its part without position, R its
rotary part, P = R / 2, V value head size, C = O + V, N tokens, D hidden size, F expert inner size, G = 2F, E experts,
K experts per token, M = N * K, W vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from axk1.model.rope import rotate

IGNORED = -100
CHUNK_ROWS = 1024


class PlainOperators:
    """Implements `Operators` with autograd-visible torch only."""

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = x.float()
        wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
        return (weight * wide.to(x.dtype)).to(x.dtype)  # the weight may be float32 beside bfloat16 activations

    def swiglu(self, gate_up: Tensor) -> Tensor:
        gate, up = gate_up.chunk(2, dim=-1)
        return functional.silu(gate) * up

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
        q_BHTQ, k_BHTQ, v_BHTV = rotated_heads(q_BTHQ, kv_BTHC, k_rope_BTR, cos_TP, sin_TP)
        mask = None if documents_BT is None else document_mask(documents_BT)
        mixed_BHTV = functional.scaled_dot_product_attention(
            q_BHTQ, k_BHTQ, v_BHTV, attn_mask=mask, is_causal=mask is None, scale=scale
        )
        return mixed_BHTV.transpose(1, 2).flatten(2)

    def experts(
        self, x_ND: Tensor, gate_up_EGD: Tensor, down_EDF: Tensor, chosen_NK: Tensor, weight_NK: Tensor
    ) -> Tensor:
        order_M = chosen_NK.flatten().argsort(stable=True)  # M = N * K assignments, sorted by expert
        token_M = order_M // chosen_NK.shape[1]
        counts = chosen_NK.flatten().bincount(minlength=len(gate_up_EGD)).tolist()
        sorted_MD = x_ND.index_select(0, token_M)
        # unbind, not indexing: its backward stacks the slices once, where each w[e] would fill a tensor of all experts
        weights = zip(gate_up_EGD.unbind(), down_EDF.unbind(), strict=True)
        pieces = [
            functional.linear(self.swiglu(functional.linear(x_MD, gate_up_GD)), down_DF)
            for x_MD, (gate_up_GD, down_DF) in zip(torch.split(sorted_MD, counts), weights, strict=True)
            if len(x_MD)
        ]
        scaled_MD = torch.cat(pieces) * weight_NK.flatten().index_select(0, order_M).unsqueeze(1)
        return torch.zeros_like(x_ND).index_add(0, token_M, scaled_MD.to(x_ND.dtype))

    def cross_entropy(self, hidden_ND: Tensor, head_WD: Tensor, targets_N: Tensor) -> Tensor:
        total = hidden_ND.new_zeros((), dtype=torch.float32)
        for rows_ND, targets in zip(
            torch.split(hidden_ND, CHUNK_ROWS), torch.split(targets_N, CHUNK_ROWS), strict=True
        ):
            # recomputed in the backward pass, so that the logits of one chunk are all that ever exists
            total = total + checkpoint(chunk_loss, rows_ND, head_WD, targets, use_reentrant=False)
        return total


def rotated_heads(
    q_BTHQ: Tensor, kv_BTHC: Tensor, k_rope_BTR: Tensor, cos_TP: Tensor, sin_TP: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries and keys [B, H, T, Q], turned to their positions, and values [B, H, T, V]."""
    heads, rope = q_BTHQ.shape[2], k_rope_BTR.shape[2]
    nope = q_BTHQ.shape[3] - rope
    q_nope_BHTO, q_rope_BHTR = q_BTHQ.transpose(1, 2).tensor_split([nope], dim=-1)
    k_nope_BHTO, v_BHTV = kv_BTHC.transpose(1, 2).tensor_split([nope], dim=-1)
    k_rope_BHTR = rotate(k_rope_BTR, cos_TP, sin_TP).unsqueeze(1).expand(-1, heads, -1, -1)
    q_BHTQ = torch.cat((q_nope_BHTO, rotate(q_rope_BHTR, cos_TP, sin_TP)), dim=-1)
    return q_BHTQ, torch.cat((k_nope_BHTO, k_rope_BHTR), dim=-1), v_BHTV


def document_mask(documents_BT: Tensor) -> Tensor:
    """Boolean [B, 1, T, T], true where query t may see key s: s <= t and both of one document."""
    same_BTT = documents_BT.unsqueeze(2) == documents_BT.unsqueeze(1)
    return same_BTT.tril().unsqueeze(1)


def chunk_loss(hidden_ND: Tensor, head_WD: Tensor, targets_N: Tensor) -> Tensor:
    """Sum over targets != -100 of -log softmax(head hidden)[target], with all its logits in memory."""
    logits_NW = functional.linear(hidden_ND, head_WD).float()
    return functional.cross_entropy(logits_NW, targets_N, ignore_index=IGNORED, reduction="sum")
