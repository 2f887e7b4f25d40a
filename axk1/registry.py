"""Named plug-ins, loaded on demand: the entry points of the group `axk1.<kind>`, ours and other packages' alike."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

__all__ = ["load", "names"]


def names(kind: str) -> list[str]:
    """The names of the plug-ins of this kind (for example "optimizer"), sorted; nothing is imported."""
    return sorted(_found(kind))


def load(kind: str, name: str) -> Any:
    """The object behind `name`, imported now. ValueError for an unknown name."""
    found = _found(kind)
    if name not in found:
        raise ValueError(f"unknown {kind} {name!r}; known: {', '.join(sorted(found)) or 'none'}")
    return found[name].load()


def _found(kind: str) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"axk1.{kind}"):
        known = found.setdefault(point.name, point)
        if known.value != point.value:
            raise ValueError(f"two packages offer the {kind} {point.name!r}: {known.value} and {point.value}")
    return found
