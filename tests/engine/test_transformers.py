"""The whole chain at once: a folder, opened by the engine and by transformers, gives the same greedy tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from axk1 import SamplingParams
from axk1.arch import RopeParameters
from axk1.engine.engine import Limits

PROMPTS, TOKENS = 64, 64
YARN = RopeParameters("yarn", factor=4.0, original_max_position_embeddings=32, mscale=1.0, mscale_all_dim=0.0)
V3_YARN = RopeParameters("yarn", factor=40.0, original_max_position_embeddings=8, mscale=1.0, mscale_all_dim=1.0)
SHAPES: dict[str, dict[str, Any]] = {
    "axk1": {"rope_parameters": YARN},
    "deepseek_v3": {"model_type": "deepseek_v3", "rope_parameters": V3_YARN},
    "deepseek_v3, full-rank query, tied": {
        "model_type": "deepseek_v3",
        "q_lora_rank": None,
        "tie_word_embeddings": True,
    },
}


@pytest.mark.parametrize("name", SHAPES)
def test_64_prompts_of_64_tokens(name: str, make: Any, open_engine: Any) -> None:
    """One pass of transformers over prompt and completion shows for every token whether it is the likeliest, and with
    that, from the first on, that its own greedy decoding would give it."""
    folder = make(vocab_size=512, **SHAPES[name]).path
    random = np.random.default_rng(0)
    prompts = [random.integers(0, 512, random.integers(1, 40)).tolist() for _ in range(PROMPTS)]
    engine = open_engine(folder, limits=Limits(block_size=16))
    params = SamplingParams(temperature=0, max_tokens=TOKENS, ignore_eos=True, logprobs=0)
    outputs = engine.generate(prompts, params)
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    gap = 0.0
    for prompt, output in zip(prompts, outputs, strict=True):
        with torch.no_grad():
            logits = theirs(torch.tensor([[*prompt, *output.token_ids]])).logits[0, len(prompt) - 1 : -1]
        assert logits.argmax(-1).tolist() == list(output.token_ids)
        ours = [one[token].logprob for one, token in zip(output.logprobs, output.token_ids, strict=True)]
        expected = logits.log_softmax(-1)[torch.arange(TOKENS), torch.tensor(output.token_ids)]
        gap = max(gap, float((torch.tensor(ours) - expected).abs().max()))
    print(f"{name}: {gap:.1e}")
    assert gap < 1e-4
    assert len({output.token_ids for output in outputs}) > PROMPTS // 2, "the replies must differ to prove anything"
