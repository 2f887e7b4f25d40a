"""Pictures of a run, from its metrics file alone: PNG files in the run folder.

Labels are English in every language: the font that matplotlib brings has no Hangul.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from axk1.runs import Metrics

__all__ = ["compare", "draw"]

Lines = Sequence[Mapping[str, Any]]


def draw(folder: Path) -> list[Path]:
    """Write `training.png` and, for a sparse model, `experts.png` beside the metrics of `folder`; returns the files."""
    lines = Metrics(folder / "metrics.jsonl").read()
    drawn = [_training(lines, folder / "training.png")] if any("loss" in line for line in lines) else []
    if any(line.get("load") for line in lines):
        drawn.append(_experts(lines, folder / "experts.png"))
    return drawn


def compare(runs: Mapping[str, Path], output: Path, measure: str = "bits_per_byte") -> Path:
    """Overlay a validation measure of several runs over tokens: label -> folder with metrics.jsonl. Returns `output`.

    ValueError if a run has no such validation.
    """
    figure, axes = _figure(1, 1, (8, 5))
    for label, folder in runs.items():
        points = _validation(Metrics(folder / "metrics.jsonl").read(), measure)
        if not points:
            raise ValueError(f"{folder} has no validation {measure!r} in its metrics")
        tokens, values = zip(*points, strict=True)
        axes[0].plot(tokens, values, marker="o", markersize=3, label=f"{label} ({values[-1]:.4f})")
    _label(axes[0], f"validation {measure.replace('_', ' ')}", "tokens")
    axes[0].legend()
    return _write(figure, output)


def _training(lines: Lines, path: Path) -> Path:
    steps = [line for line in lines if "loss" in line]
    x = [line["step"] for line in steps]
    figure, (loss, rate, speed, norm) = _figure(2, 2, (12, 8))
    loss.plot(x, _column(steps, "loss"), linewidth=0.8, label="training, nats per target")
    _mark_events(loss, steps)
    loss.legend()
    _label(loss, "loss", "step")
    rate.plot(x, _column(steps, "learning_rate"))
    _label(rate, "learning rate", "step")
    speed.plot(x, _column(steps, "tokens_per_second"), linewidth=0.8)
    _label(speed, "tokens per second", "step")
    norm.plot(x, _column(steps, "grad_norm"), linewidth=0.8)
    norm.set_yscale("log")
    _label(norm, "gradient norm before clipping", "step")
    return _write(figure, path)


def _experts(lines: Lines, path: Path) -> Path:
    """A heat map per sparse layer: experts over steps, colour = load over an even load; violations over steps below."""
    loads = [line for line in lines if line.get("load")]
    load_SLE = np.array([line["load"] for line in loads], dtype=np.float64)  # S = recorded steps
    even_SLE = load_SLE / np.maximum(load_SLE.mean(axis=-1, keepdims=True), 1e-30)
    layers = load_SLE.shape[1]
    figure, axes = _figure(layers + 1, 1, (10, 2 + 1.6 * layers))
    for layer in range(layers):
        image = axes[layer].imshow(even_SLE[:, layer].T, aspect="auto", vmin=0, vmax=2, cmap="viridis")
        axes[layer].set_ylabel(f"layer {layer}\nexpert")
        axes[layer].set_xticks([])
        figure.colorbar(image, ax=axes[layer], label="load / even")
    steps = [line for line in lines if "maxvio" in line]
    x = [line["step"] for line in steps]
    axes[-1].plot(x, _column(steps, "maxvio"), linewidth=0.8, label="worst layer's violation")
    axes[-1].plot(x, _column(steps, "mean_violation"), linewidth=0.8, label="mean violation")
    axes[-1].plot(x, _column(steps, "dead_experts"), linewidth=0.8, label="dead experts")
    axes[-1].legend()
    _label(axes[-1], "", "step")
    return _write(figure, path)


def _validation(lines: Lines, measure: str) -> list[tuple[int, float]]:
    found = [(line["tokens"], line["validation"].get(measure)) for line in lines if "validation" in line]
    return [(tokens, value) for tokens, value in found if value is not None]


def _mark_events(axes: Axes, steps: Lines) -> None:
    events = [line for line in steps if "event" in line and line["loss"] is not None]
    if events:
        axes.plot([e["step"] for e in events], _column(events, "loss"), "rv", markersize=4, label="spike reported")


def _column(lines: Lines, key: str) -> list[float]:
    """The values of `key`; a non-finite one was written as null and leaves a gap."""
    return [float("nan") if line[key] is None else float(line[key]) for line in lines]


def _figure(rows: int, columns: int, inches: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=inches, layout="constrained")
    FigureCanvasAgg(figure)  # draws in memory: no display, no global pyplot state
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _label(axes: Axes, title: str, x: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.grid(visible=True, alpha=0.3)


def _write(figure: Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path
