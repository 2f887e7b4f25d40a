"""A model, batches and settings become a trained model: the assembly that every kind of training shares."""

from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from axk1 import registry
from axk1.data.loader import Loader
from axk1.model.transformer import Transformer
from axk1.train import plots, state
from axk1.train.device import device_for
from axk1.train.loop import Summary, Trainer, Validate
from axk1.train.optimizer import Optimizer
from axk1.train.precision import parameter_dtype
from axk1.train.progress import display
from axk1.train.settings import Language, TrainingConfig

__all__ = ["Screen", "Trained", "fit"]


@dataclass(frozen=True)
class Screen:
    """Where and in which language the person is told how it goes."""

    console: Console
    language: Language = "ko"


@dataclass(frozen=True)
class Trained:
    """The model at the end of the run, with what the run says of itself."""

    model: Transformer
    summary: Summary


def fit(
    model: Transformer,
    loader: Loader,
    config: TrainingConfig,
    folder: Path,
    title: str,
    screen: Screen,
    validate: Validate | None = None,
) -> Trained:
    """Train `model` in place, from the last resume point in `folder` if there is one, and draw the run's plots.

    The model's matrices take the format that `config.precision` asks for; it computes on `config.device`, for which its
    operators must be made, and comes back on the CPU. Errors as in Trainer.run and `device_for`.
    """
    model.recompute = config.recompute
    device = device_for(config.device)
    model.cast(_format(config, device, folder)).to(device)
    optimizer: Optimizer = registry.load("optimizer", config.optimizer.name)(
        dict(model.named_parameters()), config.optimizer
    )
    shown = display(screen.console, title, config.steps, config.tokens_per_step, screen.language)
    summary = Trainer(model, optimizer, loader, config, folder, shown, validate).run()
    plots.draw(folder)
    return Trained(model.to("cpu"), summary)


def _format(config: TrainingConfig, device: torch.device, folder: Path) -> torch.dtype:
    """As the precision asks; left to "auto", a run that another device began keeps the format that it has."""
    point = state.newest(folder / "state")
    if config.precision != "auto" or point is None:
        return parameter_dtype(config.precision, device)
    return state.dtype_of(point, "model/model.embed_tokens.weight")
