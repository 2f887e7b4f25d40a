"""What a task is: questions, each with its prompt, its grade and what one would answer without thinking about it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from axk1 import registry
from axk1.chat.messages import Message, Reply, Tool

__all__ = ["Question", "Task", "load_tasks"]


@dataclass(frozen=True)
class Question:
    """`messages` end with the user's; `wanted` is a right answer as people read it.

    `grade` says whether a reply is right; the same function is a reward. `guesses` are what trivial baselines reply, by
    name and at least one: they do not know the answer.
    """

    messages: tuple[Message, ...]
    wanted: str
    grade: Callable[[Reply], bool] = field(repr=False)
    guesses: Mapping[str, Reply]
    tools: tuple[Tool, ...] = ()

    @property
    def text(self) -> str:
        """What the user asks, with the names of the tools on offer."""
        names = ", ".join(tool.name for tool in self.tools)
        return self.messages[-1].content + (f" [{names}]" if names else "")


class Task(Protocol):
    """One row of the report. A plug-in of the kind "eval_task" is a function that returns one or more of these."""

    @property
    def name(self) -> str:
        """Short, of ASCII."""
        ...

    @property
    def title_ko(self) -> str:
        """As Korean readers see it."""
        ...

    @property
    def title_en(self) -> str:
        """As English readers see it."""
        ...

    def questions(self, count: int, seed: int) -> Sequence[Question]:
        """From 1 to `count` different questions, the same for the same arguments; none that a model was trained on."""
        ...


def load_tasks(plugin: str, only: Sequence[str] = ()) -> list[Task]:
    """The tasks of the plug-in, or those named in `only`. ValueError for an unknown name names the known ones."""
    tasks: list[Task] = registry.load("eval_task", plugin)()
    known = [task.name for task in tasks]
    if unknown := [name for name in only if name not in known]:
        raise ValueError(f"{plugin} has no task {unknown[0]!r} (known: {', '.join(known)})")
    return [task for task in tasks if not only or task.name in only]
