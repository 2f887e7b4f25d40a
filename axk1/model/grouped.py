"""The operators for an accelerator: torch's own kernels, chosen so that the host never waits for the device.

Experts are two grouped matrix products over tokens sorted by expert; attention pads the value heads to the size of the
query heads, so that one of torch's fused kernels takes them; the logits exist for a chunk of rows at a time.

Shape letters: B sequences, T positions, H heads, Q = O + R query/key head size, O its part without position, R its
rotary part, P = R / 2, V value head size, C = O + V, N tokens, D hidden size, F expert inner size, G = 2F, E experts,
K experts per token, M = N * K, W padded head size or vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from axk1.model.plain import PlainOperators, chunk_loss, document_mask, rotated_heads

_CHUNK_LOGITS = 1 << 27  # of float32 at a time: half a gigabyte


class GroupedOperators:
    """Implements `Operators`. bfloat16 experts go through torch's grouped product, others expert by expert."""

    def __init__(self) -> None:
        self._plain = PlainOperators()

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        return self._plain.rms_norm(x, weight, eps)

    def swiglu(self, gate_up: Tensor) -> Tensor:
        return self._plain.swiglu(gate_up)

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
        value, wide = v_BHTV.shape[3], max(q_BHTQ.shape[3], v_BHTV.shape[3])
        q_BHTW, k_BHTW, v_BHTW = (functional.pad(part, (0, wide - part.shape[3])) for part in (q_BHTQ, k_BHTQ, v_BHTV))
        mask = None if documents_BT is None else document_mask(documents_BT)
        mixed_BHTW = functional.scaled_dot_product_attention(
            q_BHTW, k_BHTW, v_BHTW, attn_mask=mask, is_causal=mask is None, scale=scale
        )
        return mixed_BHTW[..., :value].transpose(1, 2).flatten(2)

    def experts(
        self, x_ND: Tensor, gate_up_EGD: Tensor, down_EDF: Tensor, chosen_NK: Tensor, weight_NK: Tensor
    ) -> Tensor:
        if not _grouped(x_ND, down_EDF):
            return self._plain.experts(x_ND, gate_up_EGD, down_EDF, chosen_NK, weight_NK)
        chosen_M = chosen_NK.flatten()
        order_M = chosen_M.argsort(stable=True)
        token_M = order_M // chosen_NK.shape[1]
        # not bincount: that asks the device for the largest expert before it goes on
        counts_E = chosen_M.new_zeros(len(gate_up_EGD)).scatter_add_(0, chosen_M, torch.ones_like(chosen_M))
        ends_E = counts_E.cumsum(0).to(torch.int32)
        gate_up_MG = torch._grouped_mm(x_ND.index_select(0, token_M), gate_up_EGD.transpose(1, 2), offs=ends_E)
        y_MD = torch._grouped_mm(self.swiglu(gate_up_MG), down_EDF.transpose(1, 2), offs=ends_E)
        scaled_MD = y_MD * weight_NK.flatten().index_select(0, order_M).unsqueeze(1)
        # each token's K rows lie at the places that the sort sent them to: a gather, where index_add needs atomics
        place_M = torch.empty_like(order_M).scatter_(0, order_M, torch.arange(len(order_M), device=order_M.device))
        return scaled_MD.index_select(0, place_M).view(*chosen_NK.shape, -1).sum(1).to(x_ND.dtype)

    def cross_entropy(self, hidden_ND: Tensor, head_WD: Tensor, targets_N: Tensor) -> Tensor:
        rows = max(_CHUNK_LOGITS // len(head_WD), 1)
        total = hidden_ND.new_zeros((), dtype=torch.float32)
        for rows_ND, targets in zip(torch.split(hidden_ND, rows), torch.split(targets_N, rows), strict=True):
            total = total + checkpoint(chunk_loss, rows_ND, head_WD, targets, use_reentrant=False)
        return total


def _grouped(x_ND: Tensor, down_EDF: Tensor) -> bool:
    """Whether torch's grouped product takes these: bfloat16, rows of whole 16 bytes, a GPU with bfloat16 products."""
    fits = x_ND.dtype == torch.bfloat16 and down_EDF.shape[1] % 8 == 0 and down_EDF.shape[2] % 8 == 0
    return fits and (x_ND.device.type != "cuda" or torch.cuda.get_device_capability(x_ND.device) >= (8, 0))
