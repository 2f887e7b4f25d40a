"""What a stage of a recipe is, and what it is given."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from axk1.cli.recipe import Recipe
from axk1.cli.words import Words
from axk1.runs import Run
from axk1.train.fit import Screen

__all__ = ["Job", "Stage"]


@dataclass(frozen=True)
class Job:
    """A recipe on its way through a run folder."""

    recipe: Recipe
    run: Run
    say: Words
    console: Console

    @property
    def screen(self) -> Screen:
        """Where training shows its progress."""
        return Screen(self.console, self.say.language)

    def folder(self, name: str) -> Path:
        """A folder inside the run, not created."""
        return self.run.path / name

    def tell(self, korean: str, english: str) -> None:
        """A line for the person who watches."""
        self.console.print(f"  {self.say(korean, english)}", markup=False, soft_wrap=True)

    @contextmanager
    def counting(self) -> Iterator[Callable[[str, int], None]]:
        """Gives a function that shows, in place, how many of something there are."""
        with self.console.status("") as status:
            yield lambda name, count: status.update(f"{name} {count:,}")


@dataclass(frozen=True)
class Stage:
    """One stage: `make` leaves its result in the run folder and returns a summary of it."""

    name: str
    korean: str
    english: str
    make: Callable[[Job], Mapping[str, Any]]
