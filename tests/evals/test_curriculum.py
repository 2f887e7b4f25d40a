"""The tasks made of the curriculum, on families whose answers are known by construction."""

import random
from itertools import islice

import pytest

from axk1.chat.messages import Reply
from axk1.corpus import curriculum
from axk1.corpus.exercise import Attempt, Call, Exercise, Family, Side, ToolSpec
from axk1.evals.curriculum import FamilyTask, tasks


def made(name: str, words: dict[Side, tuple[str, ...]], answers: dict[Side, tuple[str, ...]]) -> Family:
    """A family that draws a question and an answer from a pool per side; its guess is always "위"."""

    def make(rng: random.Random, side: Side) -> Exercise:
        return Exercise(name, "ko", rng.choice(words[side]), "생각", rng.choice(answers[side]))

    def grade(exercise: Exercise, attempt: Attempt) -> bool:
        return attempt.text == exercise.answer and not attempt.calls

    return Family(name, "시험", "test", make, grade, lambda exercise: Attempt("위"))


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> Family:
    """Answers: on the training side "아래" three times in four; held out "위" always."""
    words: dict[Side, tuple[str, ...]] = {"train": tuple(map(str, range(900))), "held_out": ("가", "나", "다")}
    answers: dict[Side, tuple[str, ...]] = {"train": ("아래", "아래", "아래", "위"), "held_out": ("위",)}
    family = made("made", words, answers)
    monkeypatch.setattr(curriculum, "FAMILIES", {"made": family})
    return family


def test_the_majority_is_counted_on_the_training_side_alone(family: Family) -> None:
    for question in FamilyTask(family).questions(3, 0):
        assert question.guesses["majority"] == Reply(content="아래")
        assert question.guesses["guess"] == Reply(content="위")
        assert question.grade(question.guesses["guess"])
        assert not question.grade(question.guesses["majority"])


def test_a_small_family_gives_each_question_once(family: Family) -> None:
    assert sorted(question.text for question in FamilyTask(family).questions(50, 0)) == ["가", "나", "다"]
    assert len(FamilyTask(family).questions(2, 0)) == 2


def test_the_majority_may_be_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Call("set_light", {"room": "거실", "on": True})

    def make(rng: random.Random, side: Side) -> Exercise:
        often = rng.random() < 0.8
        tool = ToolSpec("set_light", "켜기", {"room": {"type": "string"}, "on": {"type": "boolean"}})
        wanted = call if often else Call("set_light", {"room": str(rng.random()), "on": False})
        return Exercise("lights", "ko", str(rng.random()), "생각", "", wanted, (tool,))

    family = Family("lights", "불", "lights", make, lambda e, a: a.calls == (e.call,), lambda e: Attempt("아니요"))
    monkeypatch.setattr(curriculum, "FAMILIES", {"lights": family})
    questions = FamilyTask(family).questions(40, 0)
    right = sum(question.grade(question.guesses["majority"]) for question in questions)
    assert 20 < right < 40
    assert not any(question.grade(question.guesses["guess"]) for question in questions)
    assert 'set_light {"room": "거실", "on": true}' in {question.wanted for question in questions}
    assert questions[0].text.endswith(" [set_light]")


def test_no_question_is_one_that_training_draws() -> None:
    for task in tasks():
        trained = {one.question for one in islice(curriculum.exercises(0, "train", {task.name: 1.0}), 500)}
        asked = task.questions(30, 0)
        assert len(asked) >= 10
        assert not trained & {question.messages[-1].content for question in asked if not question.tools}


def test_a_prompt_ends_with_the_user_and_holds_no_reasoning() -> None:
    for task in tasks():
        for question in task.questions(3, 0):
            assert question.messages[-1].role == "user"
            assert all(message.role in ("system", "user") for message in question.messages)
