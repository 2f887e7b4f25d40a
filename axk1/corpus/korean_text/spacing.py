"""Spacing repaired by the Kiwi morphological analyser. Needs the extra `korean`; loaded only where a recipe asks."""

from functools import lru_cache

from kiwipiepy import Kiwi

__all__ = ["respaced"]


@lru_cache(maxsize=1)
def _kiwi() -> Kiwi:
    return Kiwi(num_workers=1)


def respaced(text: str) -> str:
    """Spaces added where Kiwi finds a word's beginning; those that are there stay. Line by line."""
    return "\n".join(_kiwi().space(line) if line.strip() else line for line in text.split("\n"))
