"""What every eval_task plug-in, ours or another package's, must keep."""

import pytest

from axk1 import registry
from axk1.chat.messages import Reply
from axk1.chat.template import render
from axk1.evals.task import Task


def every_task() -> list[Task]:
    return [task for name in registry.names("eval_task") for task in registry.load("eval_task", name)()]


def test_there_are_tasks_with_names_of_their_own() -> None:
    for plugin in registry.names("eval_task"):
        names = [task.name for task in registry.load("eval_task", plugin)()]
        assert names
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("task", every_task(), ids=lambda task: task.name)
def test_contract(task: Task) -> None:
    assert task.name.isascii()
    assert task.title_ko
    assert task.title_en
    questions = task.questions(5, seed=3)
    assert 1 <= len(questions) <= 5
    assert [one.messages for one in questions] == [one.messages for one in task.questions(5, seed=3)]
    rendered = [render(one.messages, one.tools, add_generation_prompt=True) for one in questions]
    assert len(set(rendered)) == len(rendered)
    for question in questions:
        assert question.wanted
        assert question.messages[-1].role == "user"
        assert question.guesses.keys() == questions[0].guesses.keys() != set()
        assert not question.grade(Reply())
        assert all(question.grade(guess) in (True, False) for guess in question.guesses.values())
