"""Our trainer as a contender: python train_ours.py sparse|dense PRESET."""

from __future__ import annotations

import sys
from dataclasses import replace

import torch
from serving import BATCH, SEQ_LEN, serve

from axk1 import registry
from axk1.arch import ModelConfig, preset
from axk1.model.fused import FusedOperators
from axk1.model.transformer import Transformer
from axk1.train.optimizer import OptimizerConfig
from axk1.train.precision import parameter_dtype, prepare_process


def same_active_dense(config: ModelConfig) -> ModelConfig:
    """The dense model whose active parameters match those of `config`, all its layers of one inner size."""
    sparse = config.num_hidden_layers - config.first_k_dense_replace
    experts = config.num_experts_per_tok + config.n_shared_experts
    inner = config.first_k_dense_replace * config.intermediate_size + sparse * experts * config.moe_intermediate_size
    return replace(
        config,
        first_k_dense_replace=config.num_hidden_layers,
        intermediate_size=round(inner / config.num_hidden_layers / 32) * 32,
    )


def main(kind: str, name: str) -> None:
    prepare_process(torch.device("cpu"))
    torch.manual_seed(0)
    config = preset(name) if kind == "sparse" else same_active_dense(preset(name))
    model = Transformer(config, FusedOperators())
    model.cast(parameter_dtype("auto", torch.device("cpu")))
    optimizer = registry.load("optimizer", "adamw")(dict(model.named_parameters()), OptimizerConfig())
    rows = torch.randint(0, config.vocab_size, (BATCH[name], SEQ_LEN + 1))
    tokens_BT, targets_BT = rows[:, :-1].contiguous(), rows[:, 1:].contiguous()

    def step() -> None:
        losses = model.loss(tokens_BT, targets_BT, balance_weight=1e-4)
        losses.total.backward()
        optimizer.step(1e-4, min(1.0, 1.0 / optimizer.grad_norm()))
        optimizer.zero_grad()
        model.update_bias(losses.load_LE, 1e-3)

    serve(step)


if __name__ == "__main__":
    main(*sys.argv[1:])
