"""axk1: an open system around the sparse language model A.X K1, from text to answers."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from axk1.chat.sampling import SamplingParams
    from axk1.engine.engine import Engine

__all__ = ["Engine", "SamplingParams", "__version__"]

__version__ = "0.1.0"

_HOMES = {"Engine": "axk1.engine.engine", "SamplingParams": "axk1.chat.sampling"}


def __getattr__(name: str) -> Any:
    """`from axk1 import Engine` loads the engine; `import axk1` alone loads nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
