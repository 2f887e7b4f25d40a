"""What came out: every answer, and the shares that are counted from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from axk1.evals.bits import TextScore
from axk1.evals.interval import Share

__all__ = ["FLAWS", "MODES", "Answer", "Flaw", "Mode", "Report", "TaskResult"]

Mode = Literal["thinking", "direct"]
MODES: tuple[Mode, ...] = get_args(Mode)

Flaw = Literal["malformed", "empty_thinking", "too_long"]
FLAWS: tuple[Flaw, ...] = get_args(Flaw)


@dataclass(frozen=True)
class Answer:
    """A question, a right answer, what the model wrote (the whole text, reasoning and tags included) and its grade."""

    question: str
    wanted: str
    got: str
    right: bool
    flaws: tuple[Flaw, ...]  # malformed: tags or JSON are broken; too_long: no end within the tokens allowed
    tokens: int


@dataclass(frozen=True)
class TaskResult:
    """A task's answers by mode, in the same order of questions, and the shares of its trivial baselines by name."""

    name: str
    title_ko: str
    title_en: str
    answers: Mapping[Mode, tuple[Answer, ...]]
    baselines: Mapping[str, Share]

    def share(self, mode: Mode) -> Share:
        """How many of the answers are right."""
        return Share(sum(answer.right for answer in self.answers[mode]), len(self.answers[mode]))

    def flaws(self, mode: Mode) -> dict[Flaw, int]:
        """How many answers break the format, and in what way."""
        return {flaw: sum(flaw in answer.flaws for answer in self.answers[mode]) for flaw in FLAWS}

    @property
    def baseline(self) -> tuple[str, Share]:
        """The best baseline; of equal ones the first."""
        return max(self.baselines.items(), key=lambda item: item[1].value)

    def worst(self, mode: Mode, count: int) -> list[Answer]:
        """Wrong answers, those that break the format first."""
        wrong = [answer for answer in self.answers[mode] if not answer.right]
        return sorted(wrong, key=lambda answer: -len(answer.flaws))[:count]

    def to_mapping(self) -> dict[str, Any]:
        """The counts as JSON values, without the single answers."""
        modes: dict[str, Any] = {mode: {**_counted(self.share(mode)), **self.flaws(mode)} for mode in MODES}
        baselines = {name: _counted(share) for name, share in self.baselines.items()}
        titles = {"title_ko": self.title_ko, "title_en": self.title_en}
        return {"name": self.name, **titles, **modes, "baseline": self.baseline[0], "baselines": baselines}


@dataclass(frozen=True)
class Report:
    """All that was measured on one model; `exercises` were asked for in each task."""

    model: str
    exercises: int
    max_new_tokens: int
    seed: int
    tasks: tuple[TaskResult, ...]
    texts: tuple[TextScore, ...] = ()

    def mean(self, mode: Mode) -> float:
        """The mean share over the tasks, each counting the same."""
        return sum(task.share(mode).value for task in self.tasks) / len(self.tasks)

    @property
    def mean_baseline(self) -> float:
        """The mean over the tasks of the best baseline."""
        return sum(task.baseline[1].value for task in self.tasks) / len(self.tasks)

    def to_mapping(self) -> dict[str, Any]:
        """The figures as JSON values."""
        asked = {"exercises": self.exercises, "max_new_tokens": self.max_new_tokens, "seed": self.seed}
        values: dict[str, Any] = {"model": self.model, **asked, "tasks": [task.to_mapping() for task in self.tasks]}
        if self.tasks:
            means = {mode: round(self.mean(mode), 4) for mode in MODES}
            values["mean"] = {**means, "baseline": round(self.mean_baseline, 4)}
        return {**values, "texts": [text.to_mapping() for text in self.texts]}


def _counted(share: Share) -> dict[str, Any]:
    low, high = share.interval
    rounded = {"share": round(share.value, 4), "low": round(low, 4), "high": round(high, 4)}
    return {"right": share.right, "total": share.total, **rounded}
