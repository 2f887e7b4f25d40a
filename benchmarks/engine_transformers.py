"""The peer, tuned: bf16, grouped experts. python engine_transformers.py FOLDER; lines as engine_ours.py reads them."""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from contest import serve
from transformers import AutoModelForCausalLM, DynamicCache
from workload import STEPS, first_tokens, tokens


class Transformers:
    def __init__(self, folder: str) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.bfloat16, attn_implementation="sdpa", experts_implementation="grouped_mm"
        ).eval()
        self.vocab = self.model.config.vocab_size
        self.filled: tuple[int, int] = (0, 0)
        self.cache = DynamicCache()

    def work(self, line: str) -> Callable[[], object]:
        kind, *numbers = line.split()
        if kind == "prompt":
            (length,) = map(int, numbers)
            ids = torch.tensor([tokens(length, self.vocab)])
            return lambda: self.forward(ids, DynamicCache())
        streams, context = map(int, numbers)
        if self.filled != (streams, context):
            self.cache = DynamicCache()
            self.forward(torch.tensor([tokens(context, self.vocab, seed) for seed in range(streams)]), self.cache)
            self.filled = (streams, context)
        if surplus := self.cache.get_seq_length() - context:  # what the steps before have added
            self.cache.crop(-surplus)
        return lambda: self.decode(streams)

    @torch.inference_mode()
    def forward(self, ids_BT: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
        out: torch.Tensor = self.model(ids_BT, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1]
        return out

    def decode(self, streams: int) -> None:
        ids_B = torch.tensor(first_tokens(streams, self.vocab))
        for _ in range(STEPS):
            ids_B = self.forward(ids_B.unsqueeze(1), self.cache).argmax(-1)


if __name__ == "__main__":
    serve(Transformers(sys.argv[1]).work)
