"""The console that the verbs write to."""

import sys

from rich.console import Console

__all__ = ["console"]

# Of a log file, where rich would assume 80 and break the tables' words.
WIDTH = 110


def console() -> Console:
    """Standard output: as wide as the terminal, or WIDTH columns where there is none."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
