"""The whole chain at once: a folder, opened by the engine and by transformers, gives the same greedy tokens.

A token that transformers does not choose is accepted only where its two likeliest are as good as equal; such ties are
counted and shown (`pytest -s` shows the figures of docs/rooms/engine.md).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zstandard
from transformers import AutoModelForCausalLM

from axk1 import SamplingParams
from axk1.arch import RopeParameters
from axk1.checkpoint import CheckpointFolder
from axk1.engine.engine import Limits
from axk1.engine.output import RequestOutput
from axk1.engine.reference.weights import read
from axk1.export.huggingface import save
from axk1.tokenizer.tokenizer import Tokenizer

PROMPTS, TOKENS = 64, 64
TOLERANCE = 1e-4  # of log-probabilities
MOST_TIES = 4  # of 4,096 tokens
GREEDY = SamplingParams(temperature=0, max_tokens=TOKENS, ignore_eos=True, logprobs=0)
YARN = RopeParameters("yarn", factor=4.0, original_max_position_embeddings=32, mscale=1.0, mscale_all_dim=0.0)
V3_YARN = RopeParameters("yarn", factor=40.0, original_max_position_embeddings=8, mscale=1.0, mscale_all_dim=1.0)
V3: dict[str, Any] = {"model_type": "deepseek_v3"}
SHAPES: dict[str, dict[str, Any]] = {
    "axk1, yarn": {"rope_parameters": YARN},
    "axk1, one group, tied": {"n_group": 1, "topk_group": 1, "tie_word_embeddings": True},
    "axk1, two dense layers, two shared experts": {"first_k_dense_replace": 2, "n_shared_experts": 2},
    "deepseek_v3, yarn": {**V3, "rope_parameters": V3_YARN},
    "deepseek_v3, full-rank query, tied": {**V3, "q_lora_rank": None, "tie_word_embeddings": True},
}
RECIPE = Path(__file__).parents[1] / "e2e/tiny"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[int]]]:
    """A model after 300 steps on the built-in curriculum, as float32, and 64 beginnings of texts it has not seen."""
    root = tmp_path_factory.mktemp("trained")
    settings = ("corpus.curriculum.documents=1500", "pretrain.training.tokens=153600")
    command = [sys.executable, "-m", "axk1", "run", RECIPE, "--out", root / "run", "--until", "pretrain", *settings]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    base = CheckpointFolder(root / "run/base")
    save({name: torch.from_numpy(one) for name, one in read(base).items()}, base.config, root / "float32", {})
    tokenizer = Tokenizer.load(base.path)
    with zstandard.open(root / "run/corpus/validation.jsonl.zst", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for _, line in zip(range(PROMPTS), lines, strict=False)]
    prompts = [tokenizer.encode(text)[: 4 + number % 40] for number, text in enumerate(texts)]
    assert len({tuple(prompt) for prompt in prompts}) == PROMPTS
    return root / "float32", prompts


def compare(folder: Path, prompts: list[list[int]], outputs: list[RequestOutput], name: str) -> list[float]:
    """The log-probability of every token, by transformers.

    One pass over prompt and completion shows for every token whether it is the likeliest, and with that, from the first
    on, that greedy decoding of transformers would give it.
    """
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    expected: list[float] = []
    gap, ties = 0.0, []
    for prompt, output in zip(prompts, outputs, strict=True):
        with torch.no_grad():
            logits = theirs(torch.tensor([[*prompt, *output.token_ids]])).logits[0, len(prompt) - 1 : -1]
        logprobs = logits.log_softmax(-1)
        chosen = logprobs[torch.arange(TOKENS), torch.tensor(output.token_ids)]
        below = logprobs.max(-1).values - chosen
        ties += below[below > 0].tolist()
        ours = [one[token].logprob for one, token in zip(output.logprobs or (), output.token_ids, strict=True)]
        gap = max(gap, float((torch.tensor(ours) - chosen).abs().max()))
        expected += chosen.tolist()
    print(f"{name}: {gap:.1e}, ties {ties}")
    assert gap < TOLERANCE
    assert len(ties) <= MOST_TIES
    assert max(ties, default=0) < TOLERANCE
    return expected


@pytest.mark.parametrize("name", SHAPES)
def test_64_prompts_of_64_tokens(name: str, make: Any, open_engine: Any, backend_name: str) -> None:
    folder = make(vocab_size=512, **SHAPES[name]).path
    random = np.random.default_rng(0)
    prompts = [random.integers(0, 512, random.integers(1, 40)).tolist() for _ in range(PROMPTS)]
    outputs = open_engine(folder, backend=backend_name, limits=Limits(block_size=16)).generate(prompts, GREEDY)
    compare(folder, prompts, outputs, f"{name}, {backend_name}")
    assert len({output.token_ids for output in outputs}) > PROMPTS // 2, "the replies must differ to prove anything"


def test_64_prompts_of_64_tokens_of_a_trained_model(trained: Any, open_engine: Any, backend_name: str) -> None:
    folder, prompts = trained
    outputs = open_engine(folder, backend=backend_name, limits=Limits(block_size=16)).generate(prompts, GREEDY)
    logprobs = compare(folder, prompts, outputs, f"trained, {backend_name}")
    assert np.exp(logprobs).mean() > 0.2, "a trained model knows what comes next: 0.001 would be chance"
    assert len({output.token_ids for output in outputs}) > PROMPTS // 2


def test_the_comparison_can_fail(make: Any, open_engine: Any) -> None:
    """A reply that is not the likeliest is seen."""
    folder = make(vocab_size=512).path
    prompts = [[5, 6, 7]]
    (output,) = open_engine(folder).generate(prompts, GREEDY)
    compare(folder, prompts, [output], "whole")
    (biased,) = open_engine(folder).generate(
        prompts, SamplingParams(temperature=0, max_tokens=TOKENS, ignore_eos=True, logprobs=0, logit_bias={9: 100})
    )
    with pytest.raises(AssertionError):
        compare(folder, prompts, [biased], "biased")
