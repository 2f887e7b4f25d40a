"""What a pipeline file says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from axk1.corpus.source import Source
from axk1.corpus.steps import StepEntry

__all__ = ["PipelineConfig"]


@dataclass(frozen=True)
class PipelineConfig:
    """Sources and steps, and in how many tasks they are worked on.

    The kept documents and their order do not depend on `tasks`; how they are cut into files does.
    """

    sources: tuple[Source, ...]
    steps: tuple[StepEntry, ...]
    seed: int = 0  # of the sources' caps, and of which documents are kept as samples
    tasks: int = 1
    total_bytes: int | None = None  # what the sources' shares are shares of
    samples: int = 50  # per step, and per outcome or reason, to look at
    cluster: Mapping[str, Any] = field(default_factory=dict)  # options of datatrove's executor: partition, time …

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("the pipeline has no source")
        if self.tasks < 1:
            raise ValueError(f"tasks must be at least 1, found {self.tasks}")
        if self.samples < 0:
            raise ValueError(f"samples must not be negative, found {self.samples}")
        labels = [source.label for source in self.sources]
        if twice := {label for label in labels if labels.count(label) > 1}:
            raise ValueError(f"two sources are called {min(twice)!r}: give each a name")
        for source in self.sources:
            _check(source)


def _check(source: Source) -> None:
    if source.repeat != 1:
        raise ValueError(f"source {source.label}: repeat belongs into a recipe, where the mix is made")
    capped = source.max_bytes is not None or source.share is not None
    if capped and (source.take == "first" or source.is_hub):
        raise ValueError(f"source {source.label}: a cap in a pipeline is a sample of files; set it in the recipe")
