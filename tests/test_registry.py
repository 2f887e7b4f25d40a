from importlib.metadata import entry_points

import pytest

from axk1 import registry


def test_every_built_in_plug_in_can_be_loaded() -> None:
    pytest.importorskip("torch")
    kinds = {group.removeprefix("axk1.") for group in entry_points().groups if group.startswith("axk1.")}
    assert "optimizer" in kinds
    for kind in kinds:
        for name in registry.names(kind):
            assert registry.load(kind, name) is not None


def test_an_unknown_name_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown optimizer 'sgd'; known: adamw, muon"):
        registry.load("optimizer", "sgd")


def test_an_unknown_kind_has_no_names() -> None:
    assert registry.names("nonesuch") == []
