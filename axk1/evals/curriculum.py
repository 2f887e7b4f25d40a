"""The built-in curriculum as tasks: held-out exercises of every family, judged by the family's own grade."""

import json
from collections import Counter
from dataclasses import dataclass
from itertools import islice

from axk1.chat.messages import Reply, ToolCall
from axk1.corpus.curriculum import FAMILIES, exercises
from axk1.corpus.exercise import Attempt, Call, Exercise, Family
from axk1.data.conversation import messages_of, tools_of
from axk1.evals.task import Question, Task

__all__ = ["FamilyTask", "tasks"]

_TRAINING_EXERCISES = 1000  # that the most frequent answer is counted on
_TRIES = 20  # draws for every question wanted: a small family may not have as many different ones


def tasks() -> list[Task]:
    """A task for every family."""
    return [FamilyTask(family) for family in FAMILIES.values()]


@dataclass(frozen=True)
class FamilyTask:
    """See Task."""

    family: Family

    @property
    def name(self) -> str:
        """See Task."""
        return self.family.name

    @property
    def title_ko(self) -> str:
        """See Task."""
        return self.family.title_ko

    @property
    def title_en(self) -> str:
        """See Task."""
        return self.family.title_en

    def questions(self, count: int, seed: int) -> list[Question]:
        """See Task. The baselines: the family's own guess, and the most frequent right answer of the training side."""
        usual = self._most_frequent(seed)
        different: dict[tuple[object, ...], Exercise] = {}
        for exercise in islice(exercises(seed, "held_out", {self.name: 1.0}), _TRIES * count):
            if len(different) == count:
                break
            different.setdefault((exercise.system, exercise.question, _names(exercise)), exercise)
        return [self._question(exercise, usual) for exercise in different.values()]

    def _question(self, exercise: Exercise, usual: Reply) -> Question:
        def grade(reply: Reply) -> bool:
            return self.family.grade(exercise, _attempt(reply))

        guess = self.family.guess(exercise)
        calls = tuple(ToolCall(call.name, call.arguments) for call in guess.calls)
        guesses = {"guess": Reply(content=guess.text, tool_calls=calls), "majority": usual}
        wanted = _written(exercise.call) if exercise.call else exercise.answer
        return Question(messages_of(exercise)[:-1], wanted, grade, guesses, tools_of(exercise))

    def _most_frequent(self, seed: int) -> Reply:
        """The answer or call that is right most often on the training side; the first seen of several."""
        drawn = islice(exercises(seed, "train", {self.name: 1.0}), _TRAINING_EXERCISES)
        replies = [messages_of(exercise)[-1] for exercise in drawn]
        keys = [(reply.content, json.dumps([call.to_dict() for call in reply.tool_calls])) for reply in replies]
        ((most, _),) = Counter(keys).most_common(1)
        usual = replies[keys.index(most)]
        return Reply(content=usual.content, tool_calls=usual.tool_calls)


def _names(exercise: Exercise) -> tuple[str, ...]:
    return tuple(tool.name for tool in exercise.tools)


def _attempt(reply: Reply) -> Attempt:
    return Attempt(reply.content, tuple(Call(call.name, call.arguments) for call in reply.tool_calls))


def _written(call: Call) -> str:
    return f"{call.name} {json.dumps(dict(call.arguments), ensure_ascii=False)}"
