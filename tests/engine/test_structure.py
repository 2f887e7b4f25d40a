"""Reasoning with a budget and tool calls in free text, token by token."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from axk1 import Engine, SamplingParams
from axk1.chat.sampling import COMPACT_JSON, GREEDY, Calls
from axk1.engine.structure import AfterThinking, CallsInText, laid_out
from axk1.tokenizer.tokenizer import Tokenizer
from engine.conftest import Saved
from engine_requests import idle

V, END, EOS, BEGIN = 8, 1, 0, 2


class Exactly:
    """A form of fixed tokens."""

    def __init__(self, *tokens: int) -> None:
        self._left = list(tokens)

    @property
    def ended(self) -> bool:
        return not self._left

    def allowed(self) -> NDArray[np.bool_]:
        return np.arange(V) == self._left[0]

    def accept(self, token: int) -> None:
        assert token == self._left.pop(0)


def open_ids(allowed_V: NDArray[np.bool_] | None) -> list[int]:
    return list(range(V)) if allowed_V is None else np.flatnonzero(allowed_V).tolist()


def test_reasoning_ends_at_its_budget_and_before_the_completion() -> None:
    form = AfterThinking(END, 2, Exactly(4, 5), [EOS], V)
    for token, allowed in [(3, [1, 2, 3, 4, 5, 6, 7]), (2, [1, 2, 3, 4, 5, 6, 7]), (END, [END]), (4, [4]), (5, [5])]:
        assert open_ids(form.allowed()) == allowed
        assert not form.ended
        form.accept(token)
    assert form.ended


@pytest.mark.parametrize("budget", [None, 5])
def test_reasoning_may_end_earlier_and_the_answer_is_free(budget: int | None) -> None:
    form = AfterThinking(END, budget, None, [EOS], V)
    form.accept(END)
    assert open_ids(form.allowed()) == list(range(V))
    form.accept(END)
    assert not form.ended


def test_calls_in_text_until_there_are_enough() -> None:
    form = CallsInText(Calls(BEGIN, "…", most=2), lambda: Exactly(5, 6), V)
    for _ in range(2):
        assert open_ids(form.allowed()) == list(range(V))
        for token in (7, BEGIN, 5):
            assert not form.ended
            form.accept(token)
        assert open_ids(form.allowed()) == [6]
        form.accept(6)
    assert form.ended


def test_without_a_grammar_no_call_begins() -> None:
    form = CallsInText(Calls(BEGIN), None, V)
    assert BEGIN not in open_ids(form.allowed())
    form.accept(7)
    assert not form.ended


def test_a_schemas_own_layout_stays() -> None:
    assert json.loads(laid_out({"type": "object"})) == {"type": "object", "x-guidance": COMPACT_JSON}
    own = {"x-guidance": {"whitespace_flexible": True}}
    assert json.loads(laid_out(json.dumps(own))) == own
    assert laid_out("true") == "true"


@pytest.mark.parametrize("speculation", ["off", "lookup"])
def test_in_the_engine_with_scores_of_the_prompt(
    open_engine: Callable[..., Engine], talking: Saved, tokenizer: Tokenizer, speculation: str
) -> None:
    """Budget and structure at once, in a batch; nothing stays behind."""
    engine = open_engine(talking.path, speculation=speculation)
    end = tokenizer.named_ids["</think>"]
    params = replace(
        GREEDY,
        max_tokens=60,
        thinking=True,
        prompt_logprobs=0,
        logit_bias={end: -100.0},
        json_schema={"enum": ["가", "나"]},
    )
    many = [replace(params, thinking_budget=budget) for budget in (1, 4, 9)]
    for one, output in zip(many, engine.generate(["가나다라"] * 3, many), strict=True):
        assert output.token_ids.index(end) == one.thinking_budget
        assert output.text.partition("</think>")[2] in ('"가"', '"나"')
        assert output.prompt_logprobs is not None
        assert len(output.prompt_logprobs) == len(output.prompt_token_ids)
    assert idle(engine)


@pytest.mark.parametrize(
    "wrong", [{"thinking_budget": 3}, {"thinking": True, "thinking_budget": 0}, {"calls": Calls(2), "regex": "a"}]
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"thinking_budget|only one structure"):
        SamplingParams(**wrong)  # type: ignore[arg-type]
