"""Grade whatever completes token ids, here a calculator that is no model, on held-out exercises. No torch.

Run: python examples/06_grade_anything.py
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from axk1.chat.sampling import GREEDY, SamplingParams
from axk1.corpus.curriculum import as_text, exercises
from axk1.evals.evaluate import evaluate
from axk1.evals.result import MODES
from axk1.evals.task import load_tasks
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.tokenizer.train import train


@dataclass(frozen=True)
class Calculator:
    """A TokenCompleter: it reads the user's numbers and says their sum, with the closing tag when it is to think."""

    tokenizer: Tokenizer

    def complete(
        self, prompts: Sequence[list[int]], max_new_tokens: int, sampling: SamplingParams = GREEDY
    ) -> list[list[int]]:
        assert sampling == GREEDY, "a calculator does not sample"
        texts = (self._reply(self.tokenizer.decode(prompt)) for prompt in prompts)
        return [self.tokenizer.encode(text)[:max_new_tokens] for text in texts]

    def _reply(self, prompt: str) -> str:
        numbers = re.findall(r"\d+", prompt.rpartition("<|im_start|>user")[2])
        thought = "+".join(numbers) + "</think>" if prompt.endswith("<think>") else ""
        return f"{thought}{sum(map(int, numbers))}<|im_end|>"


tokenizer = train((as_text(exercise) for exercise in islice(exercises(0, "train"), 200)), vocab_size=400)
tasks = load_tasks("curriculum", only=("sum2", "arithmetic", "word2"))
for result in evaluate(tasks, tokenizer, Calculator(tokenizer), exercises=20, max_new_tokens=64):
    for mode in MODES:
        share, (name, baseline) = result.share(mode), result.baseline
        low, high = share.interval
        figures = f"{share.value:.0%} [{low:.0%} to {high:.0%}], baseline {baseline.value:.0%} ({name})"
        print(f"{result.name} {mode}: {figures}")
    print("  for example:", result.answers["direct"][0].question, "→", result.answers["direct"][0].got)
