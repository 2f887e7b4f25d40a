"""Tiny models, and what computes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from axk1.arch import ModelConfig
from axk1.model import Operators, PlainOperators, Transformer
from axk1.model.fused import FusedOperators
from axk1.model.grouped import GroupedOperators
from axk1.native import NativeUnavailableError
from tiny_models import tiny_config, tiny_model

MakeConfig = Callable[..., ModelConfig]
MakeModel = Callable[..., Transformer]


@pytest.fixture(params=["plain", "fused", "grouped"])
def operators(request: pytest.FixtureRequest) -> Operators:
    """Each set in turn; the fused one where a C compiler is."""
    if request.param == "plain":
        return PlainOperators()
    if request.param == "grouped":
        return GroupedOperators()
    try:
        return FusedOperators()
    except NativeUnavailableError as reason:
        pytest.skip(str(reason))


@pytest.fixture
def config() -> MakeConfig:
    return tiny_config


@pytest.fixture
def model() -> MakeModel:
    return tiny_model


@pytest.fixture
def tokens() -> torch.Tensor:
    """[3, 20]"""
    return torch.randint(97, (3, 20), generator=torch.Generator().manual_seed(7))
