"""A model and shards that train in milliseconds."""

import random
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest
import torch
from rich.console import Console

from axk1.data.shards import ShardWriter
from axk1.train.architecture import ModelChoice
from axk1.train.fit import Screen
from axk1.train.settings import TrainingConfig

TINY = MappingProxyType(
    {
        "vocab_size": 32,
        "hidden_size": 32,
        "intermediate_size": 48,
        "moe_intermediate_size": 16,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "q_lora_rank": 16,
        "kv_lora_rank": 8,
        "qk_nope_head_dim": 8,
        "qk_rope_head_dim": 8,
        "v_head_dim": 8,
        "n_routed_experts": 8,
        "num_experts_per_tok": 2,
        "n_group": 2,
        "topk_group": 1,
        "max_position_embeddings": 64,
        "initializer_range": 0.1,
    }
)


@pytest.fixture(autouse=True)
def own_settings() -> Iterator[None]:
    """Training sets up the whole process; other tests get their settings back."""
    threads, products = torch.get_num_threads(), torch.get_float32_matmul_precision()
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(products)


@pytest.fixture
def tiny() -> ModelChoice:
    return ModelChoice("nano", dict(TINY))


@pytest.fixture
def training() -> TrainingConfig:
    """Twenty steps of 64 tokens."""
    return TrainingConfig(tokens=20 * 64, seq_len=16, batch_size=4, precision="fp32", threads=1, learning_rate=1e-2)


@pytest.fixture
def screen() -> Screen:
    return Screen(Console(width=200), "en")


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Documents that count upwards from anywhere: the next token is predictable, so the loss must fall."""
    rng = random.Random(0)
    with ShardWriter(tmp_path / "shards", vocab_size=32) as writer:
        for _ in range(200):
            start, length = rng.randrange(4, 20), rng.randrange(4, 12)
            writer.add([4 + (start + i) % 28 for i in range(length)], text_bytes=2 * length)
    return tmp_path / "shards"
