from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from transformers import AutoTokenizer

from axk1.tokenizer.tokenizer import Tokenizer
from axk1.tokenizer.train import train

TEXTS = [
    "거실 불을 켜 줘. 거실 불을 꺼 줘. 거실의 온도는 23도입니다.",
    "사과 12개와 배 34개를 더하면 모두 46개예요. 그래서 답은 46입니다.",
    "The light in the living room is on. The light in the kitchen isn't on.",
    "def add(first, second):\n    return first + second\n\ndef sub(first, second):\n    return first - second\n",
    '{"name": "set_light", "arguments": {"room": "거실", "on": true}}',
    "LG전자와 SK텔레콤은 大韓民國의 회사이다. カメラとテレビ.",
]

# Time says nothing on a shared machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train(TEXTS * 3, 600)


@pytest.fixture(scope="session")
def exported(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    tokenizer.save(folder)
    return folder


@pytest.fixture(scope="session")
def oracle(exported: Path) -> Any:
    """The exported folder as transformers opens it."""
    return AutoTokenizer.from_pretrained(exported)
