"""The joined curriculum: streams, sides, graders and baselines of every family."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from itertools import islice

import pytest

from axk1.corpus.curriculum import FAMILIES, WEIGHTS, as_text, exercises
from axk1.corpus.exercise import Attempt, Call, Exercise

SAMPLES = 20_000


def right(exercise: Exercise) -> Attempt:
    return Attempt(exercise.answer, (exercise.call,) if exercise.call else ())


@pytest.fixture(scope="module")
def sides() -> dict[str, list[Exercise]]:
    return {side: list(islice(exercises(0, side), SAMPLES)) for side in ("train", "held_out")}


def test_no_key_and_no_question_is_on_both_sides(sides):
    train, held_out = sides["train"], sides["held_out"]
    assert not {key for item in train for key in item.keys} & {key for item in held_out for key in item.keys}
    asked = [{(item.question, *(tool.name for tool in item.tools)) for item in items} for items in (train, held_out)]
    assert not asked[0] & asked[1]
    assert all(item.keys for item in train + held_out)


def test_every_family_is_on_both_sides(sides):
    for items in sides.values():
        assert {item.family for item in items} == set(FAMILIES)


def test_exercises_are_complete(sides):
    for item in sides["train"]:
        assert item.reasoning.strip() == item.reasoning != ""
        assert bool(item.answer) != bool(item.call)
        assert item.question.strip() == item.question != ""
        assert "  " not in item.question.replace("(   )", "")


def test_questions_repeat_only_in_small_families():
    for name in ("sum2", "drill", "chain", "arithmetic", "word1", "word2", "money", "units"):
        questions = [item.question for item in islice(exercises(1, "train", {name: 1.0}), 2000)]
        assert len(set(questions)) >= 1990, name


def test_same_arguments_same_stream():
    first, second = (list(islice(exercises(5, "train"), 300)) for _ in range(2))
    assert first == second
    assert first != list(islice(exercises(6, "train"), 300))


def test_stream_does_not_depend_on_the_process():
    program = (
        "from itertools import islice; from hashlib import sha256; from axk1.corpus.curriculum import exercises;"
        "print(sha256(repr(list(islice(exercises(0, 'held_out'), 300))).encode()).hexdigest())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True)
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout != ""


def test_weights():
    drawn = {item.family for item in islice(exercises(0, "train", {"sum2": 1, "chain": 3, "money": 0}), 200)}
    assert drawn == {"sum2", "chain"}
    assert set(WEIGHTS) == set(FAMILIES)
    for wrong, message in (
        ({"sum3": 1}, "known: sum2"),
        ({"sum2": -1}, "negative"),
        ({"sum2": 0}, "above zero"),
        ({}, "above"),
    ):
        with pytest.raises(ValueError, match=message):
            exercises(0, "train", wrong)


@pytest.mark.parametrize("name", FAMILIES)
def test_grader_accepts_the_answer_and_nothing_near_it(name):
    family = FAMILIES[name]
    rng = random.Random(3)
    for _ in range(300):
        item = family.make(rng, rng.choice(("train", "held_out")))
        assert item.family == name
        assert family.grade(item, right(item)), item
        assert not family.grade(item, Attempt(""))
        assert not family.grade(item, Attempt(item.question)), item
        assert not family.grade(item, replace(right(item), calls=(Call("nothing", {}),)))


@pytest.mark.parametrize("name", FAMILIES)
def test_baseline_is_beatable_and_sees_only_the_question(name):
    family = FAMILIES[name]
    items = [family.make(random.Random(seed), "held_out") for seed in range(300)]
    hits = sum(family.grade(item, family.guess(item)) for item in items)
    assert hits / len(items) < 0.75
    for item in items[:30]:
        blind = replace(item, answer="", reasoning="", call=None, keys=())
        assert family.guess(blind) == family.guess(item)


def test_plain_text_form():
    texts = [(item, as_text(item)) for item in islice(exercises(2, "train"), 1000)]
    with_reasoning = 0
    for item, text in texts:
        tools = [f"{tool.name}({', '.join(tool.parameters)})" for tool in item.tools]
        assert text.startswith("\n".join([*tools, item.question]) + "\n")
        if item.call:
            assert json.loads(text.split("\n")[-1]) == {"name": item.call.name, "arguments": dict(item.call.arguments)}
        else:
            assert text.endswith("\n" + item.answer)
        with_reasoning += f"\n{item.reasoning}\n" in text
    assert 400 < with_reasoning < 600
