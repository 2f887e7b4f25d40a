"""Which way to draft: what the caller asks for, as far as checkpoint and back end go along."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, get_args

from axk1.arch import ModelConfig
from axk1.checkpoint import CheckpointFolder
from axk1.engine.speculation import Drafter, Speculation
from axk1.engine.speculation_lookup import Lookup
from axk1.engine.speculation_mtp import Mtp

__all__ = ["Way", "chosen", "drafter", "with_draft_layer"]

Way = Literal["off", "lookup", "mtp"]


def chosen(asked: Speculation, plugin: Any, folder: CheckpointFolder) -> Way:
    """`asked`, or for "auto" the checkpoint's MTP layer, or else look-up. ValueError when it cannot be had.

    `plugin` is the class of the back end.
    """
    if asked not in get_args(Speculation):
        raise ValueError(f"speculation must be one of {', '.join(get_args(Speculation))}, not {asked!r}")
    if asked in ("off", "lookup"):
        return asked
    if hasattr(plugin, "can_draft") and plugin.can_draft(folder):
        return "mtp"
    if asked == "mtp":
        raise ValueError(f"{folder.path} has no MTP layer that this back end can draft with: use lookup or off")
    return "lookup"


def drafter(way: Way, backend: Any) -> Drafter | None:
    """The drafter for a back end that was opened for it; None for "off"."""
    if way == "off":
        return None
    return Lookup() if way == "lookup" else Mtp(backend, backend.config, backend.block_size)


def with_draft_layer(config: ModelConfig) -> ModelConfig:
    """The shape whose latent cache is as large as the model's and that of its MTP layer."""
    return replace(config, num_hidden_layers=config.num_hidden_layers + 1)
