"""Grids really have less error than plain rounding, and importance moves the error to where it costs least."""

import numpy as np
import pytest

from axk1.checkpoint.quantization import codec
from axk1.export.quantize_formats import parse_format
from axk1.export.quantize_search import best_grid, plain_grid


def weights(kind: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    values = (rng.standard_normal((64, 512)) * 0.02).astype(np.float32)
    if kind == "outliers":
        values[rng.random(values.shape) < 0.003] *= 12
    if kind == "one-sided":
        values = np.abs(values)
    return values


def error(values: np.ndarray, name: str, cost: np.ndarray | None = None, *, searched: bool) -> float:
    scheme = parse_format(name)
    assert scheme
    grid = best_grid(values, scheme, cost) if searched else None
    found = codec(scheme.codec)
    difference = found.decode(found.encode(values, scheme, grid), values.shape, scheme) - values
    return float((np.square(difference) * (1 if cost is None else cost)).sum())


@pytest.mark.parametrize("name", ["int4-g32", "int8", "int4-g64-asym"])
def test_the_plain_grid_is_the_codecs_own(name: str) -> None:
    values, scheme = weights("outliers"), parse_format(name)
    assert scheme
    found = codec(scheme.codec)
    own, plain = (found.encode(values, scheme, grid) for grid in (None, plain_grid(values, scheme)))
    assert own.keys() == plain.keys()
    for role in own:
        np.testing.assert_array_equal(own[role], plain[role])


# How much of plain rounding's squared error may be left
AT_MOST = {
    ("normal", "int4-g32"): 0.86,
    ("normal", "int4-g64"): 0.88,
    ("normal", "int4-g128"): 0.88,
    ("normal", "int4-g64-asym"): 0.95,
    ("outliers", "int4-g32"): 0.9,
    ("outliers", "int4-g128"): 0.9,
    ("outliers", "int4-g64-asym"): 0.97,
    ("one-sided", "int4-g64-asym"): 0.97,
    ("normal", "int8"): 1.0,
    ("outliers", "int8-g128"): 1.0,
    ("outliers", "int8-asym"): 1.0,
}


@pytest.mark.parametrize(("kind", "name"), AT_MOST)
def test_the_error_is_less_than_that_of_plain_rounding(kind: str, name: str) -> None:
    values = weights(kind)
    ratio = error(values, name, searched=True) / error(values, name, searched=False)
    assert ratio <= AT_MOST[kind, name]


@pytest.mark.parametrize("name", ["int4-g64", "int4-g64-asym", "int8-g32"])
def test_importance_is_minimised(name: str) -> None:
    values = weights("outliers")
    cost = np.exp(np.random.default_rng(1).standard_normal(512) * 2).astype(np.float32)
    blind = error_of(values, name, None, cost)
    seeing = error_of(values, name, cost, cost)
    assert seeing < 0.95 * blind


def error_of(values: np.ndarray, name: str, given: np.ndarray | None, cost: np.ndarray) -> float:
    scheme = parse_format(name)
    assert scheme
    found = codec(scheme.codec)
    stored = found.encode(values, scheme, best_grid(values, scheme, given))
    return float((np.square(found.decode(stored, values.shape, scheme) - values) * cost).sum())


def test_equal_importance_changes_nothing() -> None:
    scheme = parse_format("int4-g64")
    assert scheme
    plain, equal = (best_grid(weights("normal"), scheme, cost) for cost in (None, np.full(512, 4, np.float32)))
    np.testing.assert_array_equal(plain.scale_OG, equal.scale_OG)


@pytest.mark.parametrize("name", ["int4-g32", "int4-g32-asym", "int8", "int8-asym"])
@pytest.mark.parametrize("fill", [0.0, 1e-3, -7.5])
def test_constant_groups_are_exact(name: str, fill: float) -> None:
    values = np.full((4, 64), fill, dtype=np.float32)
    assert error(values, name, searched=True) <= 64 * 4 * (abs(fill) * 2**-8) ** 2
