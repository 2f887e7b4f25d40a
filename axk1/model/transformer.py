"""The language model: embedding, blocks, head, and the training loss with its two auxiliary terms.

The module tree names its parameters as a Hugging Face checkpoint with fused experts does.

Shape letters: B sequences, T positions, N = B * T tokens, D hidden size, C classes (vocabulary), P rotary pairs,
L sparse layers, E experts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from axk1.arch import ModelConfig
from axk1.model.block import Block
from axk1.model.moe import MoE
from axk1.model.mtp import MTPLayer
from axk1.model.norm import RMSNorm
from axk1.model.operators import Operators
from axk1.model.plain import IGNORED, PlainOperators
from axk1.model.rope import Rope
from axk1.model.router import Router, RouterOutput, balance_loss, load, steered_bias


@dataclass(frozen=True)
class Losses:
    """One forward pass for training. The scalars are float32; only `total` is meant for backward().

    `cross_entropy` and `mtp` are means over their targets, `balance` is summed over sparse layers, `tokens` counts the
    targets, `load_LE` (int64, detached) the tokens per sparse layer and expert, MTP layers last (0 while unused).
    """

    total: Tensor
    cross_entropy: Tensor
    balance: Tensor
    mtp: Tensor
    tokens: int
    load_LE: Tensor


class Decoder(nn.Module):
    """The part under the `model.` prefix; the last `num_nextn_predict_layers` entries of `layers` are MTP layers."""

    def __init__(self, config: ModelConfig, operators: Operators) -> None:
        super().__init__()
        depth = config.num_hidden_layers
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config, layer, operators) for layer in range(depth))
        self.layers.extend(
            MTPLayer(config, layer, operators) for layer in range(depth, depth + config.num_nextn_predict_layers)
        )
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps, operators)


class Transformer(nn.Module):
    """A.X K1 or DeepSeek-V3, by `config.model_type`.

    `recompute` trades time for memory: blocks keep only their input and run again in the backward pass.
    """

    def __init__(self, config: ModelConfig, operators: Operators | None = None, *, recompute: bool = False) -> None:
        super().__init__()
        self.config = config
        self.operators = operators or PlainOperators()
        self.recompute = recompute
        self.rope = Rope(config)
        self.model = Decoder(config, self.operators)
        self.lm_head = None
        if not config.tie_word_embeddings:
            self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Draws matrices from normal(0, initializer_range) with torch's global generator; norms one, biases zero."""
        for parameter in self.parameters():
            if parameter.ndim == 1:
                parameter.fill_(1.0)
            else:
                parameter.normal_(0.0, self.config.initializer_range)
        for router in self.routers:
            router.e_score_correction_bias.zero_()

    def cast(self, dtype: torch.dtype) -> Transformer:
        """Gives the matrices this format, in place; gradients are dropped.

        Norms, router gates and selection biases are float32 whatever the format: they cost nothing, and a bfloat16
        router changes its choices by rounding.
        """
        gates = {id(router.weight) for router in self.routers}
        for parameter in self.parameters():
            small = parameter.ndim < 2 or id(parameter) in gates
            parameter.data = parameter.data.to(torch.float32 if small else dtype)
            parameter.grad = None
        return self

    @property
    def dtype(self) -> torch.dtype:
        """What the residual stream is computed in."""
        return self.model.embed_tokens.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights lie, and so where tokens must be."""
        return self.model.embed_tokens.weight.device

    @property
    def blocks(self) -> list[Block]:
        """The layers of the model itself, without MTP layers."""
        return [layer for layer in self.model.layers if isinstance(layer, Block) and not isinstance(layer, MTPLayer)]

    @property
    def mtp_layers(self) -> list[MTPLayer]:
        return [layer for layer in self.model.layers if isinstance(layer, MTPLayer)]

    @property
    def routers(self) -> list[Router]:
        """One per sparse layer, in the order of `Losses.load_LE`."""
        return [layer.mlp.gate for layer in [*self.blocks, *self.mtp_layers] if isinstance(layer.mlp, MoE)]

    @property
    def head(self) -> Tensor:
        """The output matrix [C, D]: the embedding itself when tied."""
        return self.model.embed_tokens.weight if self.lm_head is None else self.lm_head.weight

    def hidden(self, tokens_BT: Tensor, documents_BT: Tensor | None = None) -> tuple[Tensor, list[RouterOutput]]:
        """Normed hidden states [B, T, D] and the routers' decisions. ValueError when T exceeds the context."""
        self._check_length(tokens_BT.shape[1])
        cos_TP, sin_TP = self.rope.tables(torch.arange(tokens_BT.shape[1], device=tokens_BT.device))
        x_BTD = self.model.embed_tokens(tokens_BT)
        routes = []
        for block in self.blocks:
            x_BTD, route = self._run(block, x_BTD, cos_TP, sin_TP, documents_BT)
            routes.append(route)
        return self.model.norm(x_BTD), [route for route in routes if route is not None]

    def forward(self, tokens_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Logits, float32 [B, T, C]."""
        hidden_BTD, _ = self.hidden(tokens_BT, documents_BT)
        return nn.functional.linear(hidden_BTD, self.head).float()

    def loss(
        self,
        tokens_BT: Tensor,
        targets_BT: Tensor,
        documents_BT: Tensor | None = None,
        mtp_weight: float = 0.0,
        balance_weight: float = 0.0,
    ) -> Losses:
        """Training loss against the next tokens `targets_BT` (-100 where none counts), without whole logits in memory.

        total = cross_entropy + mtp_weight * mtp + balance_weight * balance; a weight of 0 skips the term's work.
        Positions with a negative document id are padding: they count neither in the balance nor in the load.
        """
        hidden_BTD, routes = self.hidden(tokens_BT, documents_BT)
        cross_entropy, tokens = self._mean_cross_entropy(hidden_BTD, targets_BT)
        zero = torch.zeros_like(cross_entropy)
        real_BT = torch.ones_like(tokens_BT, dtype=torch.bool) if documents_BT is None else documents_BT >= 0
        mtp, mtp_routes = zero, list[RouterOutput]()
        if mtp_weight:
            mtp, mtp_routes = self._mtp_loss(hidden_BTD, tokens_BT, targets_BT, documents_BT)
        balance = zero
        if balance_weight:
            balance = sum((balance_loss(route, real_BT) for route in [*routes, *mtp_routes]), start=zero)
        total = cross_entropy + mtp_weight * mtp + balance_weight * balance
        load_LE = self._load([*routes, *mtp_routes], real_BT)
        return Losses(total, cross_entropy.detach(), balance.detach(), mtp.detach(), tokens, load_LE)

    @torch.no_grad()
    def update_bias(self, load_LE: Tensor, rate: float) -> None:
        """Steers selection away from busy experts; once per optimiser step, with all its counts."""
        for router, load_E in zip(self.routers, load_LE, strict=True):
            router.e_score_correction_bias.copy_(steered_bias(router.e_score_correction_bias, load_E, rate))

    def _mtp_loss(
        self, hidden_BTD: Tensor, tokens_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor | None
    ) -> tuple[Tensor, list[RouterOutput]]:
        """Mean over depths of the mean cross-entropy of the token k + 1 ahead, within the same document."""
        losses, routes = [], []
        for layer in self.mtp_layers:
            targets_BT = targets_BT[:, 1:]
            if documents_BT is not None:
                same_BT = documents_BT[:, 1:] == documents_BT[:, :-1]
                targets_BT = targets_BT.masked_fill(~same_BT, IGNORED)
                documents_BT = documents_BT[:, :-1]
            tokens_BT = tokens_BT[:, 1:]
            hidden_BTD, route = self._mtp_depth(layer, hidden_BTD[:, :-1], tokens_BT, documents_BT)
            losses.append(self._mean_cross_entropy(hidden_BTD, targets_BT)[0])
            routes += [] if route is None else [route]
        if not losses:
            raise ValueError("mtp_weight needs a model with num_nextn_predict_layers of at least 1")
        return torch.stack(losses).mean(), routes

    def _mtp_depth(
        self, layer: MTPLayer, hidden_BTD: Tensor, tokens_BT: Tensor, documents_BT: Tensor | None
    ) -> tuple[Tensor, RouterOutput | None]:
        cos_TP, sin_TP = self.rope.tables(torch.arange(tokens_BT.shape[1], device=tokens_BT.device))
        x_BTD = layer.enter(hidden_BTD, self.model.embed_tokens(tokens_BT))
        x_BTD, route = self._run(layer, x_BTD, cos_TP, sin_TP, documents_BT)
        return layer.shared_head.norm(x_BTD), route

    def _run(
        self, block: Block, x_BTD: Tensor, cos_TP: Tensor, sin_TP: Tensor, documents_BT: Tensor | None
    ) -> tuple[Tensor, RouterOutput | None]:
        if not (self.recompute and torch.is_grad_enabled()):
            return block(x_BTD, cos_TP, sin_TP, documents_BT)  # type: ignore[no-any-return]
        return checkpoint(  # type: ignore[no-any-return]
            block, x_BTD, cos_TP, sin_TP, documents_BT, use_reentrant=False, preserve_rng_state=False
        )

    def _mean_cross_entropy(self, hidden_BTD: Tensor, targets_BT: Tensor) -> tuple[Tensor, int]:
        """Mean over the targets (0 when there is none) and their count."""
        count = int((targets_BT != IGNORED).sum())
        total = self.operators.cross_entropy(hidden_BTD.flatten(0, 1), self.head, targets_BT.flatten())
        return total / max(count, 1), count

    def _load(self, routes: Sequence[RouterOutput], real_BT: Tensor) -> Tensor:
        load_LE = torch.zeros(
            len(self.routers), self.config.n_routed_experts, dtype=torch.int64, device=self.model.norm.weight.device
        )
        for row_E, route in zip(load_LE, routes, strict=False):  # MTP layers that did not run keep their zeros
            row_E.copy_(load(route, real_BT))
        return load_LE

    def _check_length(self, length: int) -> None:
        if length > self.config.max_position_embeddings:
            raise ValueError(
                f"sequence of {length} tokens is longer than the context of {self.config.max_position_embeddings}"
            )
