"""Where the texts of a recipe or a pipeline lie."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from axk1.config import ConfigError
from axk1.corpus.source import Source, files_of
from axk1.corpus.steps import StepEntry
from axk1.corpus.streams import CorpusError

__all__ = ["placed", "placed_steps"]


def placed(sources: Sequence[Source], text: Path) -> tuple[Source, ...]:
    """The sources with their paths in the folder `text`; found missing here, not minutes later."""
    inside = tuple(one if one.is_hub else replace(one, path=str(text / one.path)) for one in sources)
    for source in inside:
        try:
            _ = source.is_hub or files_of(source.path)
        except CorpusError as error:
            raise ConfigError(f"{error}; say where the texts of this recipe lie: --text FOLDER") from error
    return inside


def placed_steps(steps: Sequence[StepEntry], text: Path) -> tuple[StepEntry, ...]:
    """The steps with the `files` of their options, such as evaluation sets to remove, in the folder `text`."""
    return tuple(_placed_step(step, text) for step in steps)


def _placed_step(step: StepEntry, text: Path) -> StepEntry:
    if isinstance(step, str) or "files" not in step:
        return step
    return {
        **step,
        "files": [{**one, "path": str(text / one["path"])} if "path" in one else one for one in step["files"]],
    }
