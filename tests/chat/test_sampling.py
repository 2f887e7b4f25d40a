from typing import Any

import pytest

from axk1.chat.sampling import GREEDY, SamplingParams

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize("temperature", [-0.1, NAN, INFINITE, "0", True])
def test_bad_temperature_is_a_clear_error(temperature: Any) -> None:
    with pytest.raises(ValueError, match="temperature must be 0 or more"):
        SamplingParams(temperature=temperature)


@pytest.mark.parametrize("top_p", [0, -1, 1.1, NAN])
def test_bad_top_p_is_a_clear_error(top_p: float) -> None:
    with pytest.raises(ValueError, match="top_p must be above 0"):
        SamplingParams(top_p=top_p)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("top_k", -2, "top_k must be at least 1"),
        ("top_k", 1.5, "top_k must be at least 1"),
        ("min_p", -0.1, "min_p must be from 0 to 1"),
        ("min_p", NAN, "min_p must be from 0 to 1"),
        ("seed", -1, "seed must be a whole number"),
        ("seed", 2**63, "seed must be a whole number"),
        ("presence_penalty", 2.1, "presence_penalty must be from -2 to 2"),
        ("frequency_penalty", -INFINITE, "frequency_penalty must be from -2 to 2"),
        ("repetition_penalty", 0, "repetition_penalty must be from 0.01"),
        ("repetition_penalty", INFINITE, "repetition_penalty must be from 0.01"),
        ("logit_bias", {-1: 1.0}, "logit_bias must have token ids"),
        ("logit_bias", {1: 101}, "logit_bias values must be from -100 to 100"),
        ("logit_bias", {1: NAN}, "logit_bias values must be from -100 to 100"),
        ("max_tokens", 0, "max_tokens must be at least 1"),
        ("max_tokens", 1e30, "max_tokens must be at least 1"),
        ("stop", "", "a stop text must not be empty"),
        ("stop", ["a", ""], "a stop text must not be empty"),
        ("stop", [1], "a stop text must not be empty"),
        ("stop_token_ids", [-3], "stop_token_ids must be token ids"),
        ("logprobs", -1, "logprobs must be from 0 to 1000"),
        ("prompt_logprobs", 10**9, "prompt_logprobs must be from 0 to 1000"),
        ("json_schema", "{", "json_schema is not JSON"),
        ("regex", "", "regex must not be empty"),
        ("grammar", "", "grammar must not be empty"),
    ],
)
def test_an_absurd_value_is_one_clear_line(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        SamplingParams(**{field: value})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_only_one_structure() -> None:
    with pytest.raises(ValueError, match="only one structure can be asked for, not json_schema and regex"):
        SamplingParams(json_schema={"type": "object"}, regex="a+")


def test_one_stop_text_is_a_list_of_one() -> None:
    assert SamplingParams(stop="끝").stop == ("끝",)
    assert SamplingParams(stop=["a", "b"]) == SamplingParams(stop=("a", "b"))


def test_params_can_be_keys() -> None:
    assert len({GREEDY, SamplingParams(temperature=0.0, top_p=1.0), SamplingParams(stop=["a"])}) == 2


def test_greedy_takes_the_likeliest_token() -> None:
    assert GREEDY.greedy
    assert not SamplingParams().greedy
