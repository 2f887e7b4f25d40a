"""Completions of a random model that must match a structure, and do."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from axk1 import Engine, SamplingParams
from axk1.chat.sampling import GREEDY

pytest.importorskip("llguidance")

SCHEMA = {
    "type": "object",
    "properties": {"room": {"enum": ["거실", "부엌"]}, "degrees": {"type": "integer", "minimum": 0, "maximum": 30}},
    "required": ["room", "degrees"],
    "additionalProperties": False,
}
WARM = SamplingParams(temperature=1.0, top_p=1.0, max_tokens=120)


@pytest.fixture(scope="module")
def engine(talking: Any) -> Any:
    with Engine.open(talking.path, backend="reference") as opened:
        yield opened


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("form", ["mapping", "text"])
def test_a_schema_is_kept(engine: Engine, seed: int, form: str) -> None:
    schema = SCHEMA if form == "mapping" else json.dumps(SCHEMA)
    (output,) = engine.generate("온도는", replace(WARM, json_schema=schema, seed=seed))
    if output.finish_reason == "length":  # white space without end is JSON too
        return
    value = json.loads(output.text)
    assert value["room"] in ("거실", "부엌")
    assert 0 <= value["degrees"] <= 30
    assert output.finish_reason == "stop"


def test_a_regex_is_kept_and_greedy_too(engine: Engine) -> None:
    params = replace(GREEDY, regex="(거실|방) [0-9]{3}도", max_tokens=60)
    (output,) = engine.generate("온도는", params)
    assert re.fullmatch("(거실|방) [0-9]{3}도", output.text)
    assert output.finish_reason == "stop"
    assert len(output.token_ids) < 60


def test_a_grammar_is_kept_beside_free_neighbours(engine: Engine) -> None:
    params = replace(WARM, grammar='start: number ("+" number)*\nnumber: /[0-9]{1,3}/')
    free = replace(GREEDY, max_tokens=20, ignore_eos=True)
    alone = engine.generate("온도는", free)[0]
    bound, beside = engine.generate(["온도는", "온도는"], [params, free])
    assert re.fullmatch(r"[0-9]{1,3}(\+[0-9]{1,3})*\+?", bound.text)
    assert beside.token_ids == alone.token_ids


@pytest.mark.parametrize(
    "settings", [{"regex": "(a"}, {"grammar": "start: missing"}, {"json_schema": {"type": "nonsense"}}]
)
def test_what_cannot_be_followed_is_one_clear_error(engine: Engine, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(settings))} cannot be followed") as caught:
        engine.generate("온도는", SamplingParams(**settings))
    assert "\n" not in str(caught.value)
