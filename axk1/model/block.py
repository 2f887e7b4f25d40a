"""One layer: attention, then a dense or a sparse feed-forward, each on a normed copy of the residual stream.

Shape letters: B sequences, T positions, D hidden size, P rotary pairs.
"""

from __future__ import annotations

from torch import Tensor, nn

from axk1.arch import ModelConfig
from axk1.model.attention import LatentAttention
from axk1.model.mlp import MLP
from axk1.model.moe import MoE
from axk1.model.norm import RMSNorm
from axk1.model.operators import Operators
from axk1.model.router import RouterOutput


class Block(nn.Module):
    """Sparse layers of A.X K1 norm the feed-forward's output too, before it is added; DeepSeek-V3's do not."""

    def __init__(self, config: ModelConfig, layer: int, operators: Operators) -> None:
        super().__init__()
        hidden, eps = config.hidden_size, config.rms_norm_eps
        sparse = config.is_sparse(layer)
        self.input_layernorm = RMSNorm(hidden, eps, operators)
        self.self_attn = LatentAttention(config, operators)
        self.post_attention_layernorm = RMSNorm(hidden, eps, operators)
        self.mlp = MoE(config, operators) if sparse else MLP(hidden, config.intermediate_size, operators)
        self.post_mlp_layernorm = RMSNorm(hidden, eps, operators) if sparse and config.post_mlp_norm else None

    def forward(
        self, x_BTD: Tensor, cos_TP: Tensor, sin_TP: Tensor, documents_BT: Tensor | None
    ) -> tuple[Tensor, RouterOutput | None]:
        attended_BTD = self.self_attn(self.input_layernorm(x_BTD), cos_TP, sin_TP, documents_BT)
        return self.feed_forward(x_BTD + attended_BTD)

    def feed_forward(self, x_BTD: Tensor) -> tuple[Tensor, RouterOutput | None]:
        """The second half of the layer, residual included; the router's decision if the layer is sparse."""
        normed_BTD = self.post_attention_layernorm(x_BTD)
        if not isinstance(self.mlp, MoE):
            return x_BTD + self.mlp(normed_BTD), None
        out_BTD, route = self.mlp(normed_BTD)
        if self.post_mlp_layernorm is not None:
            out_BTD = self.post_mlp_layernorm(out_BTD)
        return x_BTD + out_BTD, route
