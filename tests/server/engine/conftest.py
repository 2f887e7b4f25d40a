"""A random tiny model with our tokenizer and template, as a provider: it says anything, which no trained model does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from axk1.chat import template
from axk1.engine.engine import Limits
from axk1.export.huggingface import save
from axk1.server.engine.provider import EngineProvider
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.tokenizer.train import train
from server.answers import backend
from tiny_models import tiny_model

TEXTS = [
    "거실 불을 켜 줘. 네, 거실 불을 켰어요. 온도는 23도입니다.",
    '{"name": "set", "arguments": {"room": "거실"}}\n',
]


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train(TEXTS * 4, 320)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Path:
    """Its vocabulary is padded beyond the tokenizer's, as published models' are."""
    path = tmp_path_factory.mktemp("served") / "model"
    model = tiny_model(bos_token_id=0, eos_token_id=1, vocab_size=336, max_position_embeddings=512)
    save(model.state_dict(), model.config, path, tokenizer.files() | template.files())
    return path


@pytest.fixture(scope="module")
def provider(folder: Path) -> Iterator[EngineProvider]:
    opened = EngineProvider.open(folder, "tiny", backend=backend(), limits=Limits(block_size=4, max_sequences=16))
    yield opened
    opened.engine.close()
