import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.config import ConfigError, from_mapping, load, to_mapping


@dataclass(frozen=True)
class Source:
    path: Path
    weight: float = 1.0


@dataclass(frozen=True)
class Optimizer:
    name: Literal["adamw", "muon"] = "adamw"
    betas: tuple[float, float] = (0.9, 0.95)


@dataclass(frozen=True)
class Settings:
    steps: int
    rate: float = 1e-3
    note: str | None = None
    masked: bool = False
    optimizer: Optimizer = Optimizer()
    sources: tuple[Source, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError("steps must not be negative")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_every_kind_of_value(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.toml",
        'steps = 3\nrate = 1\nnote = "말"\n[optimizer]\nname = "muon"\nbetas = [0, 0.5]\n'
        '[[sources]]\npath = "x/y"\n[[sources]]\npath = "z"\nweight = 2\n[weights]\nsums = 2\n',
    )
    assert load(path, Settings) == Settings(
        steps=3,
        rate=1.0,
        note="말",
        optimizer=Optimizer("muon", (0.0, 0.5)),
        sources=(Source(Path("x/y")), Source(Path("z"), 2.0)),
        weights={"sums": 2.0},
    )


def test_extends_merges_tables_and_replaces_arrays(tmp_path: Path) -> None:
    write(tmp_path / "nano/p.toml", 'steps = 1\nrate = 0.5\n[optimizer]\nname = "muon"\n[[sources]]\npath = "old"\n')
    path = write(
        tmp_path / "big/p.toml",
        'extends = "../nano/p.toml"\nsteps = 9\n[optimizer]\nbetas = [0, 0]\n[[sources]]\npath = "new"\n',
    )
    settings = load(path, Settings)
    assert (settings.steps, settings.rate) == (9, 0.5)
    assert settings.optimizer == Optimizer("muon", (0.0, 0.0))
    assert settings.sources == (Source(Path("new")),)


def test_extends_in_a_circle_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a.toml", 'extends = "b.toml"\n')
    path = write(tmp_path / "b.toml", 'extends = "a.toml"\n')
    with pytest.raises(ConfigError, match="circle"):
        load(path, Settings)


def test_later_overrides_win_and_bare_words_are_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.toml", "steps = 1\n")
    settings = load(path, Settings, ["steps=2", "steps=7", "optimizer.name=muon", "note=두 낱말", "rate=3e-4"])
    assert settings == Settings(7, 3e-4, "두 낱말", optimizer=Optimizer("muon"))


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        ("steps = 1\nstpes = 2", [], "unknown key 'stpes'; did you mean 'steps'"),
        ("steps = 1\nzzz = 2", [], "known: masked, note, optimizer"),
        ("rate = 1.0", [], "missing key 'steps'"),
        ('steps = "many"', [], "steps: wants a whole number, found text 'many'"),
        ("steps = 1.5", [], "steps: wants a whole number, found 1.5"),
        ("steps = true", [], "steps: wants a whole number, found True"),
        ("steps = 1\nmasked = 1", [], "masked: wants true or false, found 1"),
        ("steps = 1\noptimizer = 3", [], "optimizer: wants a table, found 3"),
        ('steps = 1\n[optimizer]\nname = "sgd"', [], "optimizer.name: wants one of 'adamw', 'muon', found 'sgd'"),
        ("steps = 1\n[optimizer]\nbetas = [1]", [], "optimizer.betas: wants 2 values, found 1"),
        ("steps = 1\nsources = [{}]", [], r"sources\[0\]: missing key 'path'"),
        ("steps = -1", [], "a.toml: steps must not be negative"),
        ("steps = = 1", [], "not TOML"),
        ("steps = 1", ["rate"], "write it as a.b=value"),
        ("steps = 1", ["optimizer.nme=muon"], "optimizer: unknown key 'nme'; did you mean 'name'"),
        ("extends = 3", [], "extends: wants one path as text, found 3"),
    ],
)
def test_mistakes_are_one_clear_line(tmp_path: Path, text: str, overrides: list[str], message: str) -> None:
    path = write(tmp_path / "a.toml", text)
    with pytest.raises(ConfigError, match=message) as caught:
        load(path, Settings, overrides)
    assert "a.toml" in str(caught.value) or "override" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes('note = "말"'.encode("cp949"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(path, Settings)


@given(
    steps=st.integers(0, 10**6),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    note=st.none() | st.text(),
    betas=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    weights=st.dictionaries(st.text(), st.floats(0, 1)),
)
def test_mapping_and_back(steps: int, rate: float, note: str | None, betas: Any, weights: Any) -> None:
    settings = Settings(steps, rate, note, True, Optimizer("muon", betas), (Source(Path("a")),), weights)
    assert from_mapping(to_mapping(settings), Settings) == settings


def test_a_whole_number_is_taken_for_a_number() -> None:
    rate = from_mapping({"steps": 0, "rate": 2}, Settings).rate
    assert isinstance(rate, float)
    assert math.isclose(rate, 2)
