"""Which mix of sources to train on: small proxy runs over many mixes, a law fitted to them, and the mix it puts first.

    python benchmarks/mix.py grid --recipe RECIPE --source law=0.28 --source prose=0.01 … > proxies.toml
    python benchmarks/trials.py proxies.toml --out runs/proxies
    python benchmarks/mix.py choose runs/proxies --target pretrain.validation.held_out_ [--most prose=0.1]

`grid` draws mixes from a Dirichlet distribution around the halfway point between the sizes of the sources and equal
parts, and writes a grid for benchmarks/trials.py. `choose` fits, for every target, the loss of a run as a function of
its mix r,

    loss_i(r) = c_i + exp(t_i . r)           (Ye et al. 2024, "Data mixing laws", arXiv 2403.16952, equation 6)

by least squares on log(loss - c), c by search, and finds the mix of the least mean loss. It never proposes more or less
of a source than some proxy run had. With it come the errors of runs that the fit had not seen (leave one out): a
proposal is worth as much as these are small beside the differences between the runs. The idea of small proxies is that
of RegMix (Liu et al. 2024, arXiv 2407.01492).
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Law", "Proposal", "best_mix", "fit", "held_out_errors", "main", "sampled_mixes"]

Floats = npt.NDArray[np.float64]

_FLOORS = np.concatenate([[0.0], np.linspace(0.05, 0.98, 63)])  # of c, as shares of the least loss
_RIDGE = 1e-3
_STEPS = 4000
_LEAST = 0.01  # of every source in a proxy's mix: what never occurs teaches the fit nothing

# Shapes: N = runs, S = sources, D = targets.


@dataclass(frozen=True)
class Law:
    """`floor_D + exp(mix_S @ slope_DS)`: the losses that a mix is expected to lead to."""

    floor_D: Floats
    slope_DS: Floats

    def losses(self, mixes: Floats) -> Floats:
        """Of one mix (S,) → (D,), or of several (N, S) → (N, D)."""
        return self.floor_D + np.exp(mixes @ self.slope_DS.T)


@dataclass(frozen=True)
class Proposal:
    """The mix of the least mean loss under the law, and that loss."""

    mix_S: Floats
    loss: float


def sampled_mixes(sizes: Floats, count: int, concentration: float, seed: int) -> Floats:
    """`count` mixes (N, S) around the halfway point between the sizes and equal parts, at least 1 % of every source."""
    centre = (sizes / sizes.sum() + 1 / len(sizes)) / 2
    mixes = np.random.default_rng(seed).dirichlet(concentration * len(sizes) * centre, count)
    return np.asarray(_LEAST + (1 - _LEAST * len(sizes)) * mixes, dtype=np.float64)


def fit(mixes_NS: Floats, losses_ND: Floats) -> Law:
    """The law that fits best. ValueError with fewer runs than sources and one more."""
    if len(mixes_NS) < mixes_NS.shape[1] + 1:
        raise ValueError(f"{len(mixes_NS)} runs are too few for {mixes_NS.shape[1]} sources")
    fitted = [_fit_one(mixes_NS, losses_ND[:, target]) for target in range(losses_ND.shape[1])]
    return Law(np.array([floor for floor, _ in fitted]), np.stack([slope for _, slope in fitted]))


def _fit_one(mixes_NS: Floats, losses_N: Floats) -> tuple[float, Floats]:
    """The floor and slope with the least squared error in the loss itself."""
    best = (np.inf, 0.0, np.zeros(mixes_NS.shape[1]))
    penalty = np.sqrt(_RIDGE) * np.eye(mixes_NS.shape[1])
    for floor in _FLOORS * losses_N.min():
        logs_N = np.log(losses_N - floor)
        centre = logs_N.mean()  # the weights of a mix add up to 1, so a constant is a slope along all sources alike
        stacked = np.concatenate([logs_N - centre, np.zeros(mixes_NS.shape[1])])
        slope_S = np.linalg.lstsq(np.concatenate([mixes_NS, penalty]), stacked, rcond=None)[0] + centre
        error = float(np.square(floor + np.exp(mixes_NS @ slope_S) - losses_N).sum())
        best = min(best, (error, float(floor), slope_S), key=lambda one: one[0])
    return best[1], best[2]


def held_out_errors(mixes_NS: Floats, losses_ND: Floats) -> Floats:
    """(N, D): predicted minus measured loss of each run, by the law fitted to all other runs."""
    rows = []
    for run in range(len(mixes_NS)):
        others = np.arange(len(mixes_NS)) != run
        rows.append(fit(mixes_NS[others], losses_ND[others]).losses(mixes_NS[run]) - losses_ND[run])
    return np.stack(rows)


def best_mix(law: Law, weights_D: Floats, least_S: Floats, most_S: Floats) -> Proposal:
    """The mix between the bounds with the least weighted loss.

    The loss is convex in the mix, so Frank-Wolfe steps reach it: each goes towards the corner of the allowed mixes that
    the gradient favours. ValueError when no mix keeps to the bounds.
    """
    if least_S.sum() > 1 or most_S.sum() < 1 or (least_S > most_S).any():
        raise ValueError(f"no mix keeps to the bounds: at least {least_S.sum():.3f}, at most {most_S.sum():.3f} in all")
    mix_S = _corner(np.zeros(len(least_S)), least_S, most_S)
    for step in range(_STEPS):
        gradient_S = (weights_D * np.exp(law.slope_DS @ mix_S)) @ law.slope_DS
        mix_S = mix_S + 2 / (step + 2) * (_corner(gradient_S, least_S, most_S) - mix_S)
    return Proposal(mix_S, float(law.losses(mix_S) @ weights_D))


def _corner(cost_S: Floats, least_S: Floats, most_S: Floats) -> Floats:
    """The allowed mix of the least linear cost: the cheapest source to its bound, then the next."""
    mix_S, left = least_S.copy(), 1 - least_S.sum()
    for source in np.argsort(cost_S, kind="stable"):
        added = min(left, most_S[source] - least_S[source])
        mix_S[source] += added
        left -= added
    return mix_S


def runs_of(folder: Path, target: str) -> tuple[list[str], list[str], Floats, Floats]:
    """Names of sources and targets, mixes (N, S) and losses (N, D) of the finished proxy runs. ValueError for none."""
    mixes: list[Mapping[str, float]] = []
    losses: list[Mapping[str, float]] = []
    for done in sorted(folder.glob("*/pretrain/done.json")):
        settings = json.loads((done.parents[1] / "run.json").read_text(encoding="utf-8"))["recipe"]["pretrain"]
        mixes.append(settings["stages"][0]["weights"])
        values = json.loads(done.read_text(encoding="utf-8"))["validation"]
        losses.append({name: value for name, value in values.items() if name.startswith(target)})
    if not losses or not losses[0]:
        raise ValueError(f"{folder}: no finished run has a measure that begins with {target!r}")
    sources, targets = list(mixes[0]), sorted(losses[0])
    table = np.array([[mix[name] for name in sources] for mix in mixes])
    return (
        sources,
        targets,
        table / table.sum(1, keepdims=True),
        np.array([[one[t] for t in targets] for one in losses]),
    )


def report(folder: Path, target: str, least: Mapping[str, float], most: Mapping[str, float]) -> dict[str, Any]:
    """The proposal with what it rests on, as JSON values."""
    sources, targets, mixes_NS, losses_ND = runs_of(folder, target)
    law, errors_ND = fit(mixes_NS, losses_ND), held_out_errors(mixes_NS, losses_ND)
    weights_D = np.full(len(targets), 1 / len(targets))
    lower_S = np.array([max(low, least.get(name, 0)) for name, low in zip(sources, mixes_NS.min(0), strict=True)])
    upper_S = np.array([min(high, most.get(name, 1)) for name, high in zip(sources, mixes_NS.max(0), strict=True)])
    chosen = best_mix(law, weights_D, np.minimum(lower_S, upper_S), upper_S)
    means_N, mean_errors_N = losses_ND @ weights_D, errors_ND @ weights_D
    return {
        "runs": len(mixes_NS),
        "mix": {name: round(float(weight), 4) for name, weight in zip(sources, chosen.mix_S, strict=True)},
        "expected": round(chosen.loss, 4),
        "tried": {"best": round(float(means_N.min()), 4), "mean": round(float(means_N.mean()), 4)},
        "best_tried": dict(zip(sources, mixes_NS[means_N.argmin()].round(4).tolist(), strict=True)),
        "held_out": {
            "mean_error": round(float(np.abs(mean_errors_N).mean()), 4),
            "spread_of_runs": round(float(means_N.std()), 4),
            "correlation": round(float(np.corrcoef(means_N + mean_errors_N, means_N)[0, 1]), 3),
            "by_target": dict(zip(targets, np.abs(errors_ND).mean(0).round(4).tolist(), strict=True)),
        },
    }


def grid_text(options: argparse.Namespace) -> str:
    """A grid for benchmarks/trials.py."""
    sizes = _pairs(options.source)
    mixes = sampled_mixes(np.array(list(sizes.values())), options.count, options.concentration, options.seed)
    lines = ['until = "pretrain"', "seeds = [0]"]
    for number, mix_S in enumerate(mixes):
        weights = ", ".join(f"{name} = {weight:.4f}" for name, weight in zip(sizes, mix_S, strict=True))
        changes = [*options.change, f"pretrain.stages=[{{ share = 1.0, weights = {{ {weights} }} }}]"]
        lines += ["", f"[variants.mix{number:02}]", f"recipe = {json.dumps(options.recipe)}"]
        lines += [f"data = {json.dumps(options.data)}", f"overrides = {json.dumps(changes)}"]
    return "\n".join(lines) + "\n"


def _pairs(values: Sequence[str]) -> dict[str, float]:
    return {name: float(number) for name, _, number in (value.partition("=") for value in values)}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="which mix of sources to train on")
    commands = parser.add_subparsers(dest="command", required=True)
    grid = commands.add_parser("grid")
    grid.add_argument("--recipe", required=True)
    grid.add_argument("--data", default="proxies", help="the name of the files that all proxies share")
    grid.add_argument("--source", action="append", default=[], metavar="NAME=SIZE")
    grid.add_argument("--change", action="append", default=[], metavar="STAGE.KEY=VALUE")
    grid.add_argument("--count", type=int, default=24)
    grid.add_argument("--concentration", type=float, default=1.0)
    grid.add_argument("--seed", type=int, default=0)
    choose = commands.add_parser("choose")
    choose.add_argument("folder", type=Path)
    choose.add_argument("--target", required=True, help="how the measures to lower begin, e.g. held_out_")
    choose.add_argument("--least", action="append", default=[], metavar="NAME=SHARE")
    choose.add_argument("--most", action="append", default=[], metavar="NAME=SHARE")
    options = parser.parse_args(argv)
    if options.command == "grid":
        print(grid_text(options), end="")
    else:
        found = report(options.folder, options.target, _pairs(options.least), _pairs(options.most))
        print(json.dumps(found, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
