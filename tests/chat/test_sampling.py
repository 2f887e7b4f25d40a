import pytest

from axk1.chat.sampling import GREEDY, SamplingParams


@pytest.mark.parametrize("temperature", [-0.1, float("nan"), float("inf")])
def test_bad_temperature_is_a_clear_error(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature must be 0 or more"):
        SamplingParams(temperature=temperature)


@pytest.mark.parametrize("top_p", [0, -1, 1.1, float("nan")])
def test_bad_top_p_is_a_clear_error(top_p: float) -> None:
    with pytest.raises(ValueError, match="top_p must be above 0"):
        SamplingParams(top_p=top_p)


def test_greedy_takes_the_likeliest_token() -> None:
    assert GREEDY.temperature == 0
