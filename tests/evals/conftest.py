"""A tokenizer, model answers to held-out exercises, and a completer that is as good as a test wants it to be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import pytest

from axk1.chat.sampling import GREEDY, SamplingParams
from axk1.chat.template import render, render_for_training
from axk1.corpus.curriculum import FAMILIES, exercises
from axk1.data.conversation import messages_of, tools_of
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.tokenizer.train import train

Say = Callable[[int, str], str]
"""What the completer says to prompt number i, whose model answer is given."""


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train(["system user assistant 사과가 몇 개 남았나요? 3개예요. 47+38=85"] * 3, 400)


@pytest.fixture(scope="session")
def model_answers() -> dict[str, str]:
    """Generation prompt → what a perfect model writes, for the first held-out exercises of every family, both modes.

    Made from the curriculum and the chat format alone, not by the code under test.
    """
    found = {}
    for name in FAMILIES:
        for exercise in islice(exercises(0, "held_out", {name: 1.0}), 60):
            for thinking in (False, True):
                messages, tools = messages_of(exercise), tools_of(exercise)
                prompt = render(messages[:-1], tools, thinking, add_generation_prompt=True)
                (written,) = (text for text, own in render_for_training(messages, tools, thinking) if own)
                found[prompt] = written
    return found


@dataclass
class Fake:
    """A completer that looks the model answer up and says what `say` makes of it; `calls` counts its prompts."""

    tokenizer: Tokenizer
    answers: dict[str, str]
    say: Say
    calls: list[int] = field(default_factory=list)

    def complete(
        self, prompts: Sequence[list[int]], max_new_tokens: int, sampling: SamplingParams = GREEDY
    ) -> list[list[int]]:
        assert sampling == GREEDY
        self.calls.append(len(prompts))
        texts = [self.say(i, self.answers[self.tokenizer.decode(prompt)]) for i, prompt in enumerate(prompts)]
        return [ids[:max_new_tokens] for ids in self.tokenizer.encode_batch(texts)]


@pytest.fixture
def fake(tokenizer: Tokenizer, model_answers: dict[str, str]) -> Callable[[Say], Fake]:
    return lambda say: Fake(tokenizer, model_answers, say)
