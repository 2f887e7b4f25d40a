"""The mix that small proxy runs point to, on losses that follow a known law."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def mix() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mix", Path(__file__).parents[1] / "benchmarks" / "mix.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mix"] = module
    spec.loader.exec_module(module)
    return module


SIZES = np.array([60.0, 25.0, 10.0, 5.0])


def planted(mix: ModuleType):
    """Four sources and three targets: each of the first three sources helps one of them most, the last one nothing."""
    slope_DS = np.log(np.array([[0.4, 0.9, 1.1, 1.2], [1.0, 0.3, 1.0, 1.2], [1.1, 1.1, 0.2, 1.2]]))
    return mix.Law(np.array([0.8, 0.5, 0.6]), slope_DS)


def runs(mix: ModuleType, law, count: int = 24, noise: float = 0.0):
    mixes = mix.sampled_mixes(SIZES, count, 1.0, 0)
    return mixes, law.losses(mixes) + noise * np.random.default_rng(1).standard_normal((count, 3))


def test_a_planted_law_is_found(mix):
    law = planted(mix)
    mixes, losses = runs(mix, law)
    found = mix.fit(mixes, losses)
    fresh = mix.sampled_mixes(SIZES, 200, 1.0, 5)
    assert np.abs(found.losses(fresh) - law.losses(fresh)).max() < 0.01
    assert np.abs(mix.held_out_errors(mixes, losses)).max() < 0.02


def test_the_best_mix_is_that_of_the_planted_law(mix):
    """Under noise of a tenth of the runs' spread, the proposal loses next to nothing against the true optimum."""
    law = planted(mix)
    spread = runs(mix, law)[1].std()
    mixes, losses = runs(mix, law, noise=0.1 * spread)
    every = np.full(3, 1 / 3)
    bounds = (np.zeros(4), np.ones(4))
    chosen = mix.best_mix(mix.fit(mixes, losses), every, *bounds).mix_S
    grid = np.random.default_rng(2).dirichlet(np.ones(4), 200_000)
    optimum = (law.losses(grid) @ every).min()
    assert law.losses(chosen) @ every < optimum + 0.02
    assert law.losses(chosen) @ every < law.losses(SIZES / 100) @ every - 0.05
    assert chosen[3] < 0.05


def test_noise_alone_shows_in_the_held_out_errors(mix):
    mixes = mix.sampled_mixes(SIZES, 24, 1.0, 0)
    losses = 2 + 0.1 * np.random.default_rng(0).standard_normal((24, 3))
    assert np.abs(mix.held_out_errors(mixes, losses)).mean() > 0.05


def test_a_proposal_keeps_to_its_bounds(mix):
    least, most = np.array([0.1, 0.0, 0.0, 0.2]), np.array([1.0, 0.3, 0.2, 1.0])
    chosen = mix.best_mix(planted(mix), np.full(3, 1 / 3), least, most).mix_S
    assert chosen.sum() == pytest.approx(1)
    assert (chosen >= least - 1e-9).all()
    assert (chosen <= most + 1e-9).all()
    with pytest.raises(ValueError, match="no mix keeps"):
        mix.best_mix(planted(mix), np.full(3, 1 / 3), least, np.full(4, 0.2))


def test_too_few_runs_are_an_error(mix):
    mixes, losses = runs(mix, planted(mix), count=4)
    with pytest.raises(ValueError, match="too few"):
        mix.fit(mixes, losses)


def test_a_grid_becomes_a_proposal_within_what_was_tried(mix, tmp_path, capsys):
    """From the sizes of the sources over run folders as trials.py leaves them to a mix."""
    law = planted(mix)
    names = ("law", "news", "prose", "spam")
    sizes = [f"--source={name}={size}" for name, size in zip(names, SIZES, strict=True)]
    mix.main(["grid", "--recipe", "recipes/nano", *sizes, "--count=20", "--change=pretrain.training.tokens=1"])
    text = capsys.readouterr().out
    tomllib = pytest.importorskip("tomllib")
    variants = tomllib.loads(text)["variants"]
    for name, variant in variants.items():
        assert variant["overrides"][0] == "pretrain.training.tokens=1"
        stages = tomllib.loads(variant["overrides"][1].replace("pretrain.stages", "stages", 1))["stages"]
        weights = stages[0]["weights"]
        losses = law.losses(np.array([weights[one] for one in names]))
        folder = tmp_path / f"{name}-0" / "pretrain"
        folder.mkdir(parents=True)
        (folder.parent / "run.json").write_text(json.dumps({"recipe": {"pretrain": {"stages": stages}}}))
        validation = {f"held_out_{number}": value for number, value in enumerate(losses)} | {"other": 9.0}
        (folder / "done.json").write_text(json.dumps({"validation": validation}))
    mix.main(["choose", str(tmp_path), "--target", "held_out_", "--most", "news=0.25"])
    found = json.loads(capsys.readouterr().out)
    assert found["runs"] == 20
    assert sum(found["mix"].values()) == pytest.approx(1, abs=1e-3)
    assert found["mix"]["news"] <= 0.2501
    assert found["mix"]["spam"] < 0.05
    assert found["expected"] <= found["tried"]["best"] + 0.02
    assert found["held_out"]["mean_error"] < 0.1 * found["held_out"]["spread_of_runs"]
    with pytest.raises(ValueError, match="no finished run"):
        mix.main(["choose", str(tmp_path), "--target", "nothing"])
