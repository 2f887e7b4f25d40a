"""Tool calls: arguments fit their schema and stand in the command; near misses are wrong."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace

import pytest

from axk1.corpus.exercise import Attempt, Call, Exercise
from axk1.corpus.families import english, tools
from axk1.corpus.families.tools.family import REFUSALS, SKILLS
from axk1.corpus.families.tools.skill import say
from axk1.corpus.families.tools.times import clock_time
from axk1.corpus.korean import native_modifier

CALLS, DOUBTFUL = tools.FAMILIES
ENGLISH = next(family for family in english.FAMILIES if family.name == "tools_en")
TYPES = {"string": str, "integer": int, "boolean": bool}
# Arguments that are not copied from the command but follow from its verb or its time.
DERIVED = {"action", "on", "closed", "time"}


def drawn(family, count: int = 2000) -> list[Exercise]:
    rng = random.Random(2)
    return [family.make(rng, ("train", "held_out")[index % 2]) for index in range(count)]


def test_there_are_enough_tools_and_phrasings():
    assert 12 <= len(SKILLS) <= 16
    rng = random.Random(0)
    for skill in SKILLS:
        wishes = [skill.wish(rng, "train") for _ in range(200)]
        assert len({pattern for wish in wishes for pattern in wish.patterns}) >= 8
        endings = {say(rng, "{v}", wish.verb, wish.words) for wish in wishes}
        assert len(endings) >= 10


@pytest.mark.parametrize("family", [CALLS, ENGLISH], ids=lambda family: family.name)
def test_calls_fit_the_listed_schema(family):
    sizes: Counter[int] = Counter()
    for item in drawn(family):
        assert item.call is not None
        (spec,) = (tool for tool in item.tools if tool.name == item.call.name)
        sizes[len(item.tools)] += 1
        assert len({tool.name for tool in item.tools}) == len(item.tools)
        needed = {name for name, schema in spec.parameters.items() if "default" not in schema}
        assert needed <= item.call.arguments.keys() <= spec.parameters.keys()
        for name, value in item.call.arguments.items():
            schema = spec.parameters[name]
            assert type(value) is TYPES[schema["type"]]
            assert value in schema.get("enum", [value])
    assert set(sizes) == {1, 2, 3}


@pytest.mark.parametrize("family", [CALLS, ENGLISH], ids=lambda family: family.name)
def test_open_arguments_stand_in_the_command(family):
    for item in drawn(family):
        assert item.call is not None
        for name, value in item.call.arguments.items():
            if name in DERIVED:
                continue
            forms = {str(value)}
            if isinstance(value, int) and 0 < value < 13:
                forms.add(native_modifier(value) + " ")
            assert any(form in item.question for form in forms), (item.question, name, value)


def test_lights_lines_and_grippers_follow_the_verb():
    words = {
        ("on", True): ("켜", "on"),
        ("on", False): ("꺼", "끄", "off"),
        ("closed", True): ("닫", "오므"),
        ("closed", False): ("열", "벌"),
        ("action", "stop"): ("멈", "정지", "세우", "세워", "top"),
        ("action", "start"): ("가동", "돌", "시작", "tart"),
    }
    seen = set()
    for item in drawn(CALLS) + drawn(ENGLISH):
        assert item.call is not None
        for pair, signs in words.items():
            if pair in item.call.arguments.items():
                assert any(sign in item.question for sign in signs), item.question
                seen.add(pair)
    assert seen == set(words)


def test_spoken_times_mean_the_clock_time():
    rng = random.Random(4)
    for _ in range(1000):
        spoken, time = clock_time(rng, "train")
        found = re.fullmatch(r"(\S+) (\d+)시(?: (반|\d+분))?", spoken)
        assert found is not None
        half, hour, minute = found[1], int(found[2]), (found[3] or "0").removesuffix("분").replace("반", "30")
        late = half in ("오후", "낮", "저녁", "밤")
        assert time == f"{hour % 12 + 12 * late:02}:{int(minute):02}", spoken
        assert {"새벽": 5 <= hour < 6, "아침": 6 <= hour < 10, "저녁": 6 <= hour < 9, "밤": 9 <= hour < 12}.get(
            half, True
        )


def changed(call: Call) -> list[Call]:
    """Calls that are nearly right."""
    near = [Call(call.name + "s", call.arguments), Call(call.name, {**call.arguments, "extra": 1})]
    for name, value in call.arguments.items():
        rest = {key: other for key, other in call.arguments.items() if key != name}
        wrong = not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else f"{value}실"
        near += [Call(call.name, rest), Call(call.name, {**call.arguments, name: wrong})]
        near.append(Call(call.name, {**call.arguments, name: str(value) if not isinstance(value, str) else 3}))
        if isinstance(value, int):
            near.append(Call(call.name, {**call.arguments, name: float(value)}))
    return near


@pytest.mark.parametrize("family", [CALLS, ENGLISH], ids=lambda family: family.name)
def test_only_the_exact_call_passes(family):
    for item in drawn(family, 300):
        assert item.call is not None
        for call in changed(item.call):
            assert not family.grade(item, Attempt("", (call,))), call
        assert not family.grade(item, Attempt("", (item.call, item.call)))
        assert not family.grade(item, Attempt(REFUSALS[0]))
        reordered = Call(item.call.name, dict(reversed(item.call.arguments.items())))
        assert family.grade(item, Attempt("", (reordered,)))


def test_doubtful_commands_are_of_three_kinds():
    kinds: Counter[str] = Counter()
    for item in drawn(DOUBTFUL, 3000):
        names = {tool.name for tool in item.tools}
        if item.call:
            kinds["call"] += 1
            continue
        wanted = re.search(r"→ (\w+)(?: 없음|: \w+\?)$", item.reasoning)
        assert wanted is not None, item.reasoning
        if item.answer in REFUSALS:
            kinds["none"] += 1
            assert wanted[1] not in names
            assert DOUBTFUL.grade(item, Attempt(REFUSALS[1]))
            assert not DOUBTFUL.grade(item, Attempt(SKILLS[0].ask[0]))
        else:
            kinds["ask"] += 1
            assert wanted[1] in names
            (skill,) = (skill for skill in SKILLS if skill.spec.name == wanted[1])
            assert item.answer in skill.ask
            assert all(DOUBTFUL.grade(item, Attempt(reply)) for reply in skill.ask)
            assert not DOUBTFUL.grade(item, Attempt(REFUSALS[0]))
        assert not DOUBTFUL.grade(item, Attempt("", (Call(item.tools[0].name, {}),)))
        assert not DOUBTFUL.grade(item, replace(Attempt(item.answer), calls=(Call(item.tools[0].name, {}),)))
    assert min(kinds[kind] for kind in ("call", "none", "ask")) > 800


def test_vague_commands_lack_the_argument():
    rng = random.Random(6)
    for skill in SKILLS:
        for pattern in skill.vague:
            wish = skill.wish(rng, "train")
            value = str(wish.arguments[skill.missing])
            assert value not in say(rng, pattern, wish.verb, wish.words)
