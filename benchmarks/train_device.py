"""Tokens per second of a training step on this machine's device: python train_device.py PRESET BATCH [SEQ_LEN]."""

import sys
import time

import torch

from axk1.arch import preset
from axk1.model.fused import FusedOperators
from axk1.model.grouped import GroupedOperators
from axk1.model.transformer import Transformer
from axk1.train.adamw import AdamW
from axk1.train.device import device_for
from axk1.train.optimizer import OptimizerConfig
from axk1.train.precision import parameter_dtype, prepare_process


def main(name: str, batch: str, seq_len: str = "512", steps: str = "10") -> None:
    device = device_for("auto")
    prepare_process(device)
    torch.manual_seed(0)
    operators = FusedOperators() if device.type == "cpu" else GroupedOperators()
    model = Transformer(preset(name), operators).cast(parameter_dtype("auto", device)).to(device)
    optimizer = AdamW(dict(model.named_parameters()), OptimizerConfig())
    rows = torch.randint(0, model.config.vocab_size, (int(batch), int(seq_len) + 1), device=device)
    tokens_BT, targets_BT = rows[:, :-1].contiguous(), rows[:, 1:].contiguous()
    seconds = []
    for _ in range(int(steps)):
        began = time.perf_counter()
        losses = model.loss(tokens_BT, targets_BT, balance_weight=1e-4)
        losses.total.backward()  # type: ignore[no-untyped-call]
        optimizer.step(1e-4, min(1.0, 1.0 / optimizer.grad_norm()))
        optimizer.zero_grad()
        model.update_bias(losses.load_LE, 1e-3)
        loss = float(losses.cross_entropy)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    speed = rows[:, 1:].numel() / min(seconds[len(seconds) // 2 :])
    memory = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0
    print(f"{name} batch {batch} x {seq_len} on {device}: {speed:,.0f} tokens/s, {memory:.1f} GiB, loss {loss:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
