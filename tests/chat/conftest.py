from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from transformers import AutoTokenizer

from axk1.chat import template
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.tokenizer.train import train

# Time says nothing on a shared machine; sixty conversations, each with all its beginnings, are enough.
settings.register_profile("conversations", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("conversations")


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train(
        ["system user assistant 거실 불을 켜 줘. 네, 켰습니다.", '{"name": "set_light", "arguments": {"room": "거실"}}']
        * 3,
        500,
    )


@pytest.fixture(scope="session")
def oracle(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The exported folder, tokenizer and template, as transformers opens it."""
    folder = tmp_path_factory.mktemp("exported")
    for name, data in (tokenizer.files() | template.files()).items():
        (folder / name).write_bytes(data)
    return AutoTokenizer.from_pretrained(folder)
