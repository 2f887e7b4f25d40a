"""Where the texts of a recipe or a pipeline lie."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from axk1.config import ConfigError
from axk1.corpus.source import Source, files_of
from axk1.corpus.streams import CorpusError

__all__ = ["placed"]


def placed(sources: Sequence[Source], text: Path) -> tuple[Source, ...]:
    """The sources with their paths in the folder `text`; found missing here, not minutes later."""
    inside = tuple(one if one.is_hub else replace(one, path=str(text / one.path)) for one in sources)
    for source in inside:
        try:
            _ = source.is_hub or files_of(source.path)
        except CorpusError as error:
            raise ConfigError(f"{error}; say where the texts of this recipe lie: --text FOLDER") from error
    return inside
