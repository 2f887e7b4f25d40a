"""The tools listed for a command, the call that answers it, and the baseline that guesses it."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

from axk1.corpus.exercise import Attempt, Call, Exercise, ToolSpec
from axk1.corpus.families.tools.skill import Skill, Wish


def offer(
    rng: random.Random, skills: Sequence[Skill], wanted: Skill | None = None, without: Skill | None = None
) -> tuple[ToolSpec, ...]:
    """One to three tools in random order, with `wanted` among them, `without` not."""
    offered = [] if wanted is None else [wanted]
    size = rng.choice((1, 2, 2, 3))
    while len(offered) < size:
        other = skills[int(rng.random() * len(skills))]
        if other is not without and other not in offered:
            offered.append(other)
    rng.shuffle(offered)
    return tuple(skill.spec for skill in offered)


def call(wish: Wish, skill: Skill) -> Call:
    """The call that fulfils the wish."""
    return Call(skill.spec.name, dict(wish.arguments))


def thought(wish: Wish, skill: Skill) -> str:
    """조명 켜기 → set_light: room=거실, on=true."""
    pairs = ", ".join(f"{name}={_written(value)}" for name, value in wish.arguments.items())
    return f"{wish.topic} → {skill.spec.name}{f': {pairs}' if pairs else ''}"


def _written(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


_NUMBER = re.compile(r"\d+")


def first_tool(exercise: Exercise) -> Attempt:
    """Baseline: the first listed tool, with the command's first number and first word, and true for yes or no."""
    tool = exercise.tools[0]
    arguments = {name: _first_value(schema, exercise.question) for name, schema in tool.parameters.items()}
    return Attempt("", (Call(tool.name, arguments),))


def _first_value(schema: Mapping[str, Any], question: str) -> str | int | bool:
    if schema["type"] == "boolean":
        return True
    if schema["type"] == "integer":
        found = _NUMBER.search(question)
        return int(found[0]) if found else 1
    return str(schema["enum"][0]) if "enum" in schema else question.partition(" ")[0]
