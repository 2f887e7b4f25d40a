"""A Hugging Face dataset as rows, streamed from the network by the `datasets` library where that is installed."""

import importlib
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from axk1.corpus.source import HUB, Source
from axk1.corpus.streams import CorpusError

__all__ = ["hub_rows"]


def hub_rows(source: Source) -> Iterator[Mapping[str, Any]]:
    """The rows of one split, as they arrive. CorpusError when `datasets` is missing or the dataset is out of reach."""
    library = _library(source)
    name = source.path.removeprefix(HUB)
    try:
        yield from library.load_dataset(name, source.config or None, split=source.split, streaming=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise CorpusError(f"{source.path}: cannot be read from the Hugging Face hub: {_first_line(error)}") from error


def _library(source: Source) -> ModuleType:
    # An optional package, imported by name when asked for: nothing but this source needs it.
    try:
        return importlib.import_module("datasets")
    except ModuleNotFoundError as error:
        raise CorpusError(f"{source.path}: Hugging Face datasets need a package: pip install datasets") from error


def _first_line(error: Exception) -> str:
    hint = " (is this machine online?)" if isinstance(error, ConnectionError) else ""
    return str(error).strip().partition("\n")[0] + hint
