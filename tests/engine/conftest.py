"""Random torch models, the oracle, and the folders they are saved to, which the engine opens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings

from axk1.engine.engine import Engine
from axk1.engine.native_library import load
from axk1.export.huggingface import save
from axk1.model import Transformer
from axk1.native import NativeUnavailableError
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.tokenizer.train import train
from tiny_models import tiny_model

# Time says nothing on a shared machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

ENDS = {"bos_token_id": 0, "eos_token_id": 1}
TEXTS = ["거실 불을 켜 줘. 네, 거실 불을 켰어요. 온도는 23도입니다.", "def add(first, second): return first + second\n"]


@dataclass(frozen=True)
class Saved:
    """A model and the folder that holds the same weights."""

    model: Transformer
    path: Path

    def logits(self, ids: list[int]) -> Any:
        """The oracle's float32 [T, V], as an array."""
        with torch.no_grad():
            return self.model(torch.tensor([ids]))[0].numpy()

    def mtp_logits(self, ids: list[int]) -> Any:
        """What the MTP layer foretells at each position but the last: float32 [T - 1, V]. At t, for token t + 2."""
        tokens = torch.tensor([ids])
        with torch.no_grad():
            hidden, _ = self.model.hidden(tokens)
            state, _ = self.model._mtp_depth(self.model.mtp_layers[0], hidden[:, :-1], tokens[:, 1:], None)
            return (state[0] @ self.model.head.T).numpy()

    def greedy(self, prompt: list[int], count: int) -> list[int]:
        """The oracle's tokens: the whole sequence again for each, without any cache."""
        ids = list(prompt)
        for _ in range(count):
            ids.append(int(self.logits(ids)[-1].argmax()))
        return ids[len(prompt) :]


Make = Callable[..., Saved]


def saved(
    path: Path,
    *,
    fused_experts: bool = False,
    mtp: bool = False,
    dtype: Any = None,
    files: Mapping[str, bytes] | None = None,
    **changes: Any,
) -> Saved:
    """A tiny model and its folder."""
    model = tiny_model(**{**ENDS, **changes})
    with torch.no_grad():
        if dtype is not None:  # the oracle keeps float32 arithmetic on the rounded weights
            for parameter in model.parameters():
                parameter.copy_(parameter.to(dtype).float())
    save(model.state_dict(), model.config, path, files or {}, dtype=dtype, fused_experts=fused_experts, mtp=mtp)
    return Saved(model.eval(), path)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda **changes: saved(tmp_path / "model", **changes)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """A folder without a tokenizer."""
    return saved(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def foretelling(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """A folder with an MTP layer."""
    return saved(tmp_path_factory.mktemp("foretelling") / "model", num_nextn_predict_layers=1, mtp=True)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train(TEXTS * 4, 320)


@pytest.fixture(scope="session")
def talking(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Saved:
    """A folder with a tokenizer; its vocabulary is padded beyond the tokenizer's, as published models' are."""
    path = tmp_path_factory.mktemp("talking") / "model"
    return saved(path, files=tokenizer.files(), vocab_size=336, max_position_embeddings=256)


@pytest.fixture(params=["reference", "native"])
def backend_name(request: pytest.FixtureRequest) -> str:
    """Both back ends in turn; the native one where a C++ compiler is."""
    if request.param == "native":
        try:
            load()
        except NativeUnavailableError as reason:
            pytest.skip(str(reason))
    return str(request.param)


@pytest.fixture
def open_engine(tiny: Saved) -> Any:
    """Opens engines and closes them when the test ends."""
    opened: list[Engine] = []

    def open_(folder: Path = tiny.path, **settings: Any) -> Engine:
        opened.append(Engine.open(folder, **{"backend": "reference", **settings}))
        return opened[-1]

    yield open_
    for engine in opened:
        engine.close()
