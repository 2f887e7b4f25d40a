"""The numerical building blocks of the model, as a Protocol that a fused native set can implement.

Shape letters: B sequences, T positions, H heads, Q = O + R query/key head size, O its part without position, R its
rotary part, P = R / 2, V value head size, C = O + V, N tokens, D hidden size, F expert inner size, G = 2F, E experts,
K experts per token, W vocabulary.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Operators(Protocol):
    """What `Transformer` needs to be computed; every method is differentiable in its floating-point inputs."""

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        """Root-mean-square norm over the last axis, computed in float32 and returned in the dtype of `x`."""
        ...

    def swiglu(self, gate_up: Tensor) -> Tensor:
        """silu(first half) * second half of the last axis: [..., 2F] -> [..., F]."""
        ...

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
        """Causal multi-head latent attention with rotary positions: softmax(scale * q k^T) v as [B, T, H * V].

        The last R of each query head's Q = O + R values and the key part `k_rope_BTR`, one for all heads, arrive
        unrotated: the pair (x[2p], x[2p + 1]) of position t turns by the angle whose cos and sin (float32, the YaRN
        attention factor in them) stand at [t, p]. Each head of `kv_BTHC` holds O values of key, then V of value.
        With `documents_BT` (integer ids, documents are runs of equal ids) no position sees another document.
        """
        ...

    def experts(
        self, x_ND: Tensor, gate_up_EGD: Tensor, down_EDF: Tensor, chosen_NK: Tensor, weight_NK: Tensor
    ) -> Tensor:
        """Routed SwiGLU experts: sum over k of weight * down[e] (swiglu(gate_up[e] x)) with e = chosen; [N, D].

        G = 2F holds the gate rows first, then the up rows. `weight_NK` is float32, `chosen_NK` int64.
        """
        ...

    def cross_entropy(self, hidden_ND: Tensor, head_WD: Tensor, targets_N: Tensor) -> Tensor:
        """Sum over targets != -100 of -log softmax(head hidden)[target]: a float32 scalar, without [N, W] in memory."""
        ...
