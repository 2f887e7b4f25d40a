"""Multi-token prediction: one more layer that predicts the token after the next one, as a training objective.

DeepSeek-V3 (arXiv 2412.19437), section 2.2: depth k joins the hidden state of position t with the embedding of token
t + k, runs one block of its own and shares the embedding and the output head with the model.

Shape letters: B sequences, T positions, D hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from axk1.arch import ModelConfig
from axk1.model.block import Block
from axk1.model.norm import RMSNorm
from axk1.model.operators import Operators


class SharedHead(nn.Module):
    """The norm before the shared output head, under the name that checkpoints give it."""

    def __init__(self, config: ModelConfig, operators: Operators) -> None:
        super().__init__()
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps, operators)


class MTPLayer(Block):
    """A block with an entry. A subclass, because checkpoints name the parts of both on one level (`layers.61.*`)."""

    def __init__(self, config: ModelConfig, layer: int, operators: Operators) -> None:
        super().__init__(config, layer, operators)
        self.enorm = RMSNorm(config.hidden_size, config.rms_norm_eps, operators)
        self.hnorm = RMSNorm(config.hidden_size, config.rms_norm_eps, operators)
        self.eh_proj = nn.Linear(2 * config.hidden_size, config.hidden_size, bias=False)
        self.shared_head = SharedHead(config, operators)

    def enter(self, hidden_BTD: Tensor, embedded_BTD: Tensor) -> Tensor:
        """Joins the normed hidden states with the embeddings of the tokens one further on: what the block runs on."""
        joined: Tensor = self.eh_proj(torch.cat((self.enorm(embedded_BTD), self.hnorm(hidden_BTD)), dim=-1))
        return joined
