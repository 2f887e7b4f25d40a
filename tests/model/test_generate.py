"""Generation with the latent cache: equal to full re-computation, to itself one by one, and to its sampling rules."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from axk1.arch import RopeParameters
from axk1.model import Generator, Operators, Sampling, Transformer
from axk1.model.generate import choose

NO_EOS: frozenset[int] = frozenset()
PROMPTS = [[5], [7, 8, 9, 10, 11, 12, 13], [90, 3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14], [42, 41]]
YARN = RopeParameters("yarn", factor=4.0, original_max_position_embeddings=16, mscale=1.0, mscale_all_dim=0.0)

SHAPES: list[dict[str, Any]] = [
    {},
    {"rope_parameters": YARN, "tie_word_embeddings": True},
    {"model_type": "deepseek_v3", "q_lora_rank": None, "first_k_dense_replace": 2, "num_nextn_predict_layers": 1},
]


def uncached(model: Transformer, prompt: list[int], new_tokens: int) -> list[int]:
    """The oracle: the whole sequence again for every token, without a cache."""
    ids = list(prompt)
    for _ in range(new_tokens):
        ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    return ids[len(prompt) :]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_ragged_batch_equals_full_recomputation(model: Any, shape: dict[str, Any], operators: Operators) -> None:
    ours = model(operators, **shape)
    expected = [uncached(ours, prompt, 12) for prompt in PROMPTS]
    assert Generator(ours).generate(PROMPTS, 12, NO_EOS) == expected
    assert len({tuple(reply) for reply in expected}) == len(PROMPTS), "the replies must differ to prove anything"


@pytest.mark.parametrize("shape", SHAPES)
def test_cached_logits_equal_uncached_logits(
    model: Any, shape: dict[str, Any], tokens: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closer than tokens: the logits of a batch of unequal rows, whatever the piece in which prompts are read."""
    ours: Transformer = model(**shape)
    prompts = [row[: 20 - 6 * index].tolist() for index, row in enumerate(tokens)]
    seen: list[Tensor] = []

    def spy(logits_BW: Tensor, sampling: Sampling, uniform_B: Tensor) -> Tensor:
        seen.append(logits_BW)
        return choose(logits_BW, sampling, uniform_B)

    monkeypatch.setattr("axk1.model.generate.choose", spy)
    for piece in (1, 12, 4096):
        monkeypatch.setattr("axk1.model.generate.PREFILL_TOKENS", piece)
        Generator(ours).generate(prompts, 1, NO_EOS)
        by_length = sorted(prompts, key=len)
        expected = torch.stack([ours(torch.tensor([prompt]))[0, -1] for prompt in by_length])
        torch.testing.assert_close(seen.pop(), expected.detach(), rtol=1e-4, atol=1e-5)


def test_batch_equals_single_and_batches_of_two(model: Any) -> None:
    ours = model()
    whole = Generator(ours).generate(PROMPTS, 15, NO_EOS)
    assert [Generator(ours).generate([prompt], 15, NO_EOS)[0] for prompt in PROMPTS] == whole
    assert Generator(ours, batch_size=2).generate(PROMPTS, 15, NO_EOS) == whole


def test_rows_that_end_early_leave_the_others_alone(model: Any) -> None:
    ours = model()
    free = Generator(ours).generate(PROMPTS, 20, NO_EOS)
    eos = frozenset({free[1][3], free[3][0], free[0][9]})
    cut = [reply[: next((at for at, token in enumerate(reply) if token in eos), 20)] for reply in free]
    assert Generator(ours).generate(PROMPTS, 20, eos) == cut
    assert len({len(reply) for reply in cut}) >= 3


def test_stream_gives_the_tokens_of_generate(model: Any) -> None:
    generator = Generator(model())
    whole = generator.generate([PROMPTS[1]], 10, NO_EOS)[0]
    stream = generator.stream(PROMPTS[1], 10, NO_EOS)
    assert [next(stream), next(stream)] == whole[:2]
    assert list(stream) == whole[2:]
    eos = frozenset({whole[4]})
    assert list(generator.stream(PROMPTS[1], 10, eos)) == generator.generate([PROMPTS[1]], 10, eos)[0]


def test_sampling_follows_the_seed_and_not_the_batch(model: Any) -> None:
    generator = Generator(model(), batch_size=2)
    first = generator.generate(PROMPTS, 10, NO_EOS, temperature=1.0, top_p=0.9, seed=4)
    assert first == Generator(generator.model).generate(PROMPTS, 10, NO_EOS, temperature=1.0, top_p=0.9, seed=4)
    assert first != generator.generate(PROMPTS, 10, NO_EOS, temperature=1.0, top_p=0.9, seed=5)
    alone = list(generator.stream(PROMPTS[0], 10, NO_EOS, temperature=1.0, top_p=0.9, seed=4))
    assert alone == first[0]
    same = generator.generate([PROMPTS[0]] * 4, 10, NO_EOS, temperature=1.0)
    assert len({tuple(reply) for reply in same}) > 1, "equal prompts draw their own numbers"


def test_choose_by_hand() -> None:
    probability = torch.tensor([0.1, 0.4, 0.2, 0.3])
    uniform_B = torch.linspace(0, 0.9999, 2001)
    logits_BW = probability.log().expand(len(uniform_B), -1)

    def shares(temperature: float, top_p: float) -> list[float]:
        ids = choose(logits_BW, Sampling(temperature, top_p), uniform_B)
        return [float((ids == one).float().mean()) for one in range(4)]

    assert shares(0.0, 1.0) == [0, 1, 0, 0]
    assert shares(1.0, 1.0) == pytest.approx([0.1, 0.4, 0.2, 0.3], abs=0.002)
    squared = probability.square() / probability.square().sum()
    assert shares(0.5, 1.0) == pytest.approx(squared.tolist(), abs=0.002)
    # 0.4 + 0.3 do not reach 0.75, so 0.2 stays as well; 0.1 goes
    assert shares(1.0, 0.75) == pytest.approx([0, 4 / 9, 2 / 9, 3 / 9], abs=0.002)
    assert shares(1.0, 0.3) == [0, 1, 0, 0]


def test_bfloat16_models_generate(model: Any) -> None:
    ours = model().cast(torch.bfloat16)
    assert [len(reply) for reply in Generator(ours).generate(PROMPTS, 5, NO_EOS)] == [5] * len(PROMPTS)


def test_no_prompts_or_no_new_tokens(model: Any) -> None:
    generator = Generator(model())
    assert generator.generate([], 5, NO_EOS) == []
    assert generator.generate(PROMPTS, 0, NO_EOS) == [[]] * len(PROMPTS)


@pytest.mark.parametrize(
    ("prompt", "new_tokens", "message"),
    [
        ([], 5, "a prompt is empty"),
        ([3, 97], 5, "outside the model's vocabulary of 97"),
        ([-1], 5, "outside the model's vocabulary"),
        ([1] * 100, 29, "100 tokens and 29 new ones exceed the context of 128"),
    ],
)
def test_errors_say_what_is_wrong(model: Any, prompt: list[int], new_tokens: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Generator(model()).generate([[1], prompt], new_tokens, NO_EOS)


@pytest.mark.parametrize("settings", [{"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.1}])
def test_bad_sampling_settings_are_refused(model: Any, settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        Generator(model()).generate([[1]], 1, NO_EOS, **settings)
