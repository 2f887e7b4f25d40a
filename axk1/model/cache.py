"""The latent KV cache and attention straight from it: L + R numbers per token and layer, whatever the number of heads.

The up-projection of keys is absorbed into the queries and that of values into the output (DeepSeek-V2, arXiv
2405.04434, section 2.1.2), so the cached latents are never expanded to heads.

Rows of a batch are aligned at their last token: every row appends at the same column, and a row's first real token
stands at column `start_B`. RoPE depends on distances only, so columns serve as positions.

Shape letters: Y layers, B rows, T new columns, S columns so far, H heads, O and R parts of a query without and with
position, V value head size, C = O + V, L latent size, U = L + R, D hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from axk1.arch import ModelConfig
from axk1.model.attention import LatentAttention
from axk1.model.rope import rotate


class LatentCache:
    """Normed latents and rotated shared keys of all layers, side by side in one tensor."""

    def __init__(self, config: ModelConfig, start_B: Tensor, columns: int, dtype: torch.dtype) -> None:
        size = config.kv_lora_rank + config.qk_rope_head_dim
        self.joint_YBSU = torch.zeros(config.num_hidden_layers, len(start_B), columns, size, dtype=dtype)
        self.start_B = start_B
        self.length = 0

    def append(self, layer: int, joint_BTU: Tensor) -> Tensor:
        """Writes the new columns of one layer and returns all columns so far: [B, S, U], a view."""
        end = self.length + joint_BTU.shape[1]
        rows_BSU = self.joint_YBSU[layer, : len(self.start_B)]
        rows_BSU[:, self.length : end] = joint_BTU
        return rows_BSU[:, :end]

    def hidden_columns(self, new_columns: int) -> Tensor:
        """Boolean [B, 1, T, S], true where a new column must not look: later columns and the padding before a row."""
        columns_S = torch.arange(self.length + new_columns)
        later_TS = columns_S > columns_S[self.length :].unsqueeze(1)
        return (later_TS | (columns_S < self.start_B[:, None, None])).unsqueeze(1)

    def drop(self, row: int) -> None:
        """Ends a row: the last row takes its place, which costs one row's copy and keeps the batch dense."""
        last = len(self.start_B) - 1
        self.joint_YBSU[:, row, : self.length] = self.joint_YBSU[:, last, : self.length]
        self.start_B[row] = self.start_B[last]
        self.start_B = self.start_B[:last]


def attend(
    attention: LatentAttention,
    x_BTD: Tensor,
    tables: tuple[Tensor, Tensor],
    cache: LatentCache,
    layer: int,
    hidden_B1TS: Tensor | None,
) -> Tensor:
    """The attention of the new columns `x_BTD` over all columns of the cache, their own included: [B, T, D]."""
    config = attention.config
    up_HCL = attention.kv_b_proj.weight.view(config.num_attention_heads, -1, config.kv_lora_rank)
    up_key_HOL, up_value_HVL = up_HCL.tensor_split([config.qk_nope_head_dim], dim=1)
    q_nope_BHTO, q_rope_BHTR = attention.queries(x_BTD).transpose(1, 2).tensor_split([config.qk_nope_head_dim], dim=-1)
    q_latent_BHTL = torch.einsum("bhto,hol->bhtl", q_nope_BHTO, up_key_HOL)
    q_BHTU = torch.cat((q_latent_BHTL, rotate(q_rope_BHTR, *tables)), dim=-1)
    latent_BTL, k_rope_BTR = attention.latents(x_BTD)
    joint_BSU = cache.append(layer, torch.cat((latent_BTL, rotate(k_rope_BTR, *tables)), dim=-1))
    mixed_BHTL = _mix(q_BHTU, joint_BSU, attention.scale, hidden_B1TS)[..., : config.kv_lora_rank]
    out_BTHV = torch.einsum("bhtl,hvl->bthv", mixed_BHTL, up_value_HVL)
    out_BTD: Tensor = attention.o_proj(out_BTHV.flatten(2))
    return out_BTD


def _mix(q_BHTU: Tensor, joint_BSU: Tensor, scale: float, hidden_B1TS: Tensor | None) -> Tensor:
    """softmax(scale * q joint^T) joint; all heads of a row share its latents, so they are rows of one product."""
    b, h, t, _ = q_BHTU.shape
    scores_BHTS = torch.bmm(q_BHTU.flatten(1, 2), joint_BSU.transpose(1, 2)).view(b, h, t, -1).float() * scale
    if hidden_B1TS is not None:
        # the lowest finite number: a column of padding sees nothing, and must not become NaN
        scores_BHTS = scores_BHTS.masked_fill(hidden_B1TS, torch.finfo(torch.float32).min)
    weights_BHTS = scores_BHTS.softmax(-1).to(q_BHTU.dtype)
    return torch.bmm(weights_BHTS.flatten(1, 2), joint_BSU).view(b, h, t, -1)
