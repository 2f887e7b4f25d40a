"""Loss curves side by side: ours (bf16 with fp32 masters, fused kernels) and transformers in fp32, from equal weights.

    python benchmarks/curves.py [--preset nano] [--steps 100] [--save]

Both see the same batches, the bytes of the built-in curriculum, with the same AdamW; load balance is off, as the peer
has none. Equal curves are what allows the speed of benchmarks/train.py to be compared at all.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path

import machine
import torch
from torch import Tensor
from transformers import AXK1Config, AXK1ForCausalLM

from axk1 import registry
from axk1.arch import preset
from axk1.corpus.curriculum import as_text, exercises
from axk1.model.fused import FusedOperators
from axk1.model.transformer import Transformer
from axk1.train.optimizer import OptimizerConfig
from axk1.train.precision import parameter_dtype, prepare_process

BATCH, SEQ_LEN, LEARNING_RATE = 4, 256, 1e-3


def batches(steps: int) -> list[Tensor]:
    """Rows of the curriculum's bytes, [steps] of [BATCH, SEQ_LEN + 1]."""
    size = steps * BATCH * (SEQ_LEN + 1)
    text = itertools.chain.from_iterable((as_text(one) + "\n").encode() for one in exercises(0, "train"))
    rows = torch.tensor(list(itertools.islice(text, size))).view(steps, BATCH, SEQ_LEN + 1)
    return list(rows)


def settings() -> OptimizerConfig:
    return OptimizerConfig(beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.0)


def theirs(model: AXK1ForCausalLM, data: list[Tensor]) -> list[float]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.0)
    losses = []
    for rows in data:
        loss = model(input_ids=rows[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(loss.flatten(0, 1), rows[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def ours(model: Transformer, data: list[Tensor]) -> list[float]:
    model.cast(parameter_dtype("auto", torch.device("cpu")))
    optimizer = registry.load("optimizer", "adamw")(dict(model.named_parameters()), settings())
    losses = []
    for rows in data:
        loss = model.loss(rows[:, :-1].contiguous(), rows[:, 1:].contiguous())
        loss.total.backward()
        optimizer.step(LEARNING_RATE, min(1.0, 1.0 / optimizer.grad_norm()))
        optimizer.zero_grad()
        losses.append(float(loss.cross_entropy))
    return losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    prepare_process(torch.device("cpu"))
    config = preset(options.preset)
    torch.manual_seed(0)
    model = Transformer(config, FusedOperators())
    peer = AXK1ForCausalLM(AXK1Config(**config.to_huggingface()))
    peer.load_state_dict(renamed(model.state_dict()))
    data = batches(options.steps)
    results = {"transformers_fp32": theirs(peer, data), "ours": ours(model, data)}
    report(results)
    if options.save:
        path = Path(__file__).parent / "results" / "curves.jsonl"
        line = {**results, **machine.identity(["python", "benchmarks/curves.py", *sys.argv[1:]])}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our names as transformers' modules have them: the norm after the experts lies inside the MLP there."""
    return {name.replace(".post_mlp_layernorm.", ".mlp.post_mlp_layernorm."): tensor for name, tensor in state.items()}


def report(results: dict[str, list[float]]) -> None:
    pairs = list(zip(*results.values(), strict=True))
    print(f"{'step':>6}{'transformers fp32':>20}{'ours':>10}{'difference':>12}")
    for step in range(0, len(pairs), max(1, len(pairs) // 10)):
        window = pairs[step : step + 10]
        peer, own = (sum(column) / len(window) for column in zip(*window, strict=True))
        print(f"{step + 1:6}{peer:20.4f}{own:10.4f}{own / peer - 1:12.2%}")
    peer, own = (sum(column[-20:]) / len(column[-20:]) for column in results.values())
    print(f"mean of the last 20 steps: transformers {peer:.4f}, ours {own:.4f}, difference {own / peer - 1:.2%}")


if __name__ == "__main__":
    main()
