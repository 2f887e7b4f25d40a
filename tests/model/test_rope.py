"""Positions by hand: the rotation as complex numbers, YaRN's temperature and the frequencies it keeps or stretches."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from axk1.arch import RopeParameters, attention_factor, softmax_scale
from axk1.model.rope import Rope, frequencies, rotate


def yarn(mscale: float, mscale_all_dim: float) -> RopeParameters:
    return RopeParameters(
        "yarn", factor=4.0, original_max_position_embeddings=32768, mscale=mscale, mscale_all_dim=mscale_all_dim
    )


def test_rotation_is_a_product_of_complex_numbers(config: Any) -> None:
    x = torch.randn(2, 3, 5, 8)
    rope = Rope(config())
    turned = torch.view_as_complex(x.view(2, 3, 5, 4, 2)) * torch.polar(
        torch.ones(5, 4), torch.arange(5.0).unsqueeze(1) * rope.frequencies_P
    )
    torch.testing.assert_close(rotate(x, *rope.tables(torch.arange(5))), torch.view_as_real(turned).flatten(-2))


def test_the_product_of_rotated_vectors_depends_on_distance_only(config: Any) -> None:
    q, k = torch.randn(1, 8), torch.randn(1, 8)
    rope = Rope(config())

    def product(i: int, j: int) -> float:
        tables = [rope.tables(torch.tensor([position])) for position in (i, j)]
        return float((rotate(q, *tables[0]) * rotate(k, *tables[1])).sum())

    assert product(9, 4) == pytest.approx(product(105, 100), abs=1e-4)
    assert product(9, 4) != pytest.approx(product(9, 5), abs=1e-2)


def test_temperature_of_the_released_model_sits_in_cos_and_sin_alone(config: Any) -> None:
    released = config(rope_parameters=yarn(1.0, 0.0))
    assert attention_factor(released.rope_parameters) == pytest.approx(0.1 * math.log(4) + 1)
    assert softmax_scale(released) == pytest.approx(20**-0.5)


def test_equal_mscales_sit_in_the_softmax_scale_alone(config: Any) -> None:
    equal = config(rope_parameters=yarn(1.0, 1.0))
    assert attention_factor(equal.rope_parameters) == 1.0
    assert softmax_scale(equal) == pytest.approx(20**-0.5 * (0.1 * math.log(4) + 1) ** 2)


def test_yarn_keeps_fast_pairs_and_stretches_slow_ones() -> None:
    plain_P, yarn_P = frequencies(RopeParameters(), 64), frequencies(yarn(1.0, 0.0), 64)
    torch.testing.assert_close(yarn_P[:8], plain_P[:8])
    torch.testing.assert_close(yarn_P[-1:], plain_P[-1:] / 4)
    assert (yarn_P <= plain_P).all()
