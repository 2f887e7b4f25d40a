"""The peer, tuned: grouped_mm experts, fused AdamW, oneDNN for fp32. python train_transformers.py PRESET fp32|bf16."""

from __future__ import annotations

import sys

import torch
from serving import BATCH, SEQ_LEN, serve
from transformers import AXK1Config, AXK1ForCausalLM

from axk1.arch import preset


def main(name: str, dtype: str) -> None:
    torch.set_float32_matmul_precision("medium")
    config = AXK1Config(**preset(name).to_huggingface())
    config._attn_implementation = "sdpa"
    config._experts_implementation = "grouped_mm"
    torch.manual_seed(0)
    model = AXK1ForCausalLM(config).to(torch.bfloat16 if dtype == "bf16" else torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    tokens_BT = torch.randint(0, config.vocab_size, (BATCH[name], SEQ_LEN))

    def step() -> None:
        model(input_ids=tokens_BT, labels=tokens_BT, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)

    serve(step)


if __name__ == "__main__":
    main(*sys.argv[1:])
