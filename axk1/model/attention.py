"""Multi-head latent attention (MLA): low-rank queries, keys and values from one latent, positions on a shared key part.

DeepSeek-V2 (arXiv 2405.04434), section 2.1; A.X K1 uses it unchanged.

Shape letters: B sequences, T positions, D hidden size, H heads, Q = O + R query/key head size, O its part without
position ("nope"), R its rotary part, P = R / 2, V value head size, C = O + V, L latent size (kv_lora_rank), U all heads
in one row.
"""

from __future__ import annotations

from torch import Tensor, nn

from axk1.arch import LATENT_NORM_EPS, ModelConfig, softmax_scale
from axk1.model.norm import RMSNorm
from axk1.model.operators import Operators


class LatentAttention(nn.Module):
    """MLA over a whole sequence; `queries` and `latents` are open for decoding from a latent cache."""

    def __init__(self, config: ModelConfig, operators: Operators) -> None:
        super().__init__()
        self.config = config
        self.operators = operators
        self.scale = softmax_scale(config)
        self._build_query_projection()
        hidden, latent, heads = config.hidden_size, config.kv_lora_rank, config.num_attention_heads
        self.kv_a_proj_with_mqa = nn.Linear(hidden, latent + config.qk_rope_head_dim, bias=False)
        self.kv_a_layernorm = RMSNorm(latent, LATENT_NORM_EPS, operators)
        self.kv_b_proj = nn.Linear(latent, heads * (config.qk_nope_head_dim + config.v_head_dim), bias=False)
        self.o_proj = nn.Linear(heads * config.v_head_dim, hidden, bias=False)

    def _build_query_projection(self) -> None:
        config = self.config
        wide = config.num_attention_heads * config.qk_head_dim
        if config.q_lora_rank is None:
            self.q_proj = nn.Linear(config.hidden_size, wide, bias=False)
            return
        self.q_a_proj = nn.Linear(config.hidden_size, config.q_lora_rank, bias=False)
        self.q_a_layernorm = RMSNorm(config.q_lora_rank, LATENT_NORM_EPS, self.operators)
        self.q_b_proj = nn.Linear(config.q_lora_rank, wide, bias=False)

    def forward(self, x_BTD: Tensor, cos_TP: Tensor, sin_TP: Tensor, documents_BT: Tensor | None) -> Tensor:
        latent_BTL, k_rope_BTR = self.latents(x_BTD)
        kv_BTHC = self.split_heads(self.kv_b_proj(latent_BTL))
        q_BTHQ = self.queries(x_BTD)
        mixed_BTU = self.operators.attention(q_BTHQ, kv_BTHC, k_rope_BTR, cos_TP, sin_TP, self.scale, documents_BT)
        out_BTD: Tensor = self.o_proj(mixed_BTU)
        return out_BTD

    def queries(self, x_BTD: Tensor) -> Tensor:
        """Unrotated queries [B, T, H, Q]."""
        if self.config.q_lora_rank is None:
            return self.split_heads(self.q_proj(x_BTD))
        return self.split_heads(self.q_b_proj(self.q_a_layernorm(self.q_a_proj(x_BTD))))

    def latents(self, x_BTD: Tensor) -> tuple[Tensor, Tensor]:
        """What keys and values come from: the normed latent [B, T, L] and the unrotated key part [B, T, R]."""
        latent_BTL, k_rope_BTR = self.kv_a_proj_with_mqa(x_BTD).tensor_split([self.config.kv_lora_rank], dim=-1)
        return self.kv_a_layernorm(latent_BTL), k_rope_BTR

    def split_heads(self, joint_BTU: Tensor) -> Tensor:
        return joint_BTU.view(*joint_BTU.shape[:-1], self.config.num_attention_heads, -1)
