"""From what a caller gives to token ids that the model can take; every mistake is one clear line."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np

from axk1.arch import ModelConfig
from axk1.chat.sampling import SamplingParams
from axk1.checkpoint import CheckpointFolder
from axk1.engine.job import Structure
from axk1.engine.stop import eos_ids
from axk1.engine.structure import AfterThinking, CallsInText
from axk1.tokenizer.special import END_THINK
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["Prompt", "Prompts", "Reader", "listed", "paired"]

Prompt = str | Sequence[int]
Prompts = Prompt | Sequence[Prompt]


class Reader:
    """What one folder takes: its tokenizer (or none), its vocabulary, its context, the ids that end a completion.

    `context` is the model's, or what the cache can hold if that is less.
    """

    def __init__(
        self, config: ModelConfig, tokenizer: Tokenizer | None, eos: frozenset[int], tokens_in_cache: int
    ) -> None:
        self.vocabulary = config.vocab_size
        self.tokenizer = tokenizer
        self.eos = eos
        self.context = min(config.max_position_embeddings, tokens_in_cache)
        self._short_of_memory = tokens_in_cache < config.max_position_embeddings

    @classmethod
    def of(cls, folder: CheckpointFolder, tokens_in_cache: int) -> Reader:
        """CheckpointError, TokenizerError for files that cannot be read."""
        has_tokenizer = (folder.path / "tokenizer.json").is_file()
        tokenizer = Tokenizer.load(folder.path, foreign=True) if has_tokenizer else None
        return cls(folder.config, tokenizer, eos_ids(folder), tokens_in_cache)

    def text_ids(self, prompt: Prompt) -> list[int]:
        """The ids of a text that is only read. ValueError when it is empty, too long, or has an unknown id."""
        ids = self._ids(prompt)
        if not ids:
            raise ValueError("a prompt is empty: it needs at least one token")
        for token in ids:
            if not 0 <= token < self.vocabulary:
                raise ValueError(f"token id {token} is outside the model's vocabulary of {self.vocabulary}")
        if len(ids) > self.context:
            raise ValueError(f"a prompt of {len(ids)} tokens is longer than the context of {self._context_in_words}")
        return ids

    def prompt_ids(self, prompt: Prompt) -> list[int]:
        """The ids of a prompt to be continued, which leaves room for one more token. ValueError as `text_ids`."""
        ids = self.text_ids(prompt)
        if len(ids) == self.context:
            raise ValueError(f"a prompt of {len(ids)} tokens fills the whole context of {self._context_in_words}")
        return ids

    def check(self, params: SamplingParams) -> None:
        """ValueError for sampling parameters that do not go with this model."""
        if self.tokenizer is None and (params.stop or params.shaped):
            asked = "stop texts" if params.stop else "a structure"
            raise ValueError(f"{asked} cannot be had: the folder has no tokenizer, so there is no text")
        for token in (*params.logit_bias, *params.stop_token_ids):
            if token >= self.vocabulary:
                raise ValueError(f"token id {token} is outside the model's vocabulary of {self.vocabulary}")

    def structure(self, params: SamplingParams) -> Structure:
        """ValueError for a schema, regex or grammar that cannot be followed."""
        answer: Structure | None = None
        if params.structured:
            answer = cast(Structure, self._grammars.matcher(params))
        elif params.calls is not None:
            lark = params.calls.grammar
            begin = None if lark is None else self._grammars.calls(lark)
            answer = CallsInText(params.calls, begin, self.vocabulary)
        if not params.thinking:
            assert answer is not None
            return answer
        return AfterThinking(self.end_of_thinking, params.thinking_budget, answer, self.eos, self.vocabulary)

    @property
    def end_of_thinking(self) -> int:
        """The id of `</think>`. ValueError where the tokenizer has none."""
        found = None if self.tokenizer is None else self.tokenizer.named_ids.get(END_THINK)
        if found is None:
            raise ValueError(f"thinking cannot be had: the tokenizer has no {END_THINK}")
        return found

    @cached_property
    def _grammars(self) -> Any:
        """Loaded when first asked for: most requests have no structure, and the library costs time and memory."""
        module = importlib.import_module("axk1.engine.grammar")
        return module.Grammars(self.tokenizer, self.eos, self.vocabulary)

    @property
    def _context_in_words(self) -> str:
        return f"{self.context} tokens" + (" that the cache can hold: give it more memory" * self._short_of_memory)

    def _ids(self, prompt: Prompt) -> list[int]:
        if not isinstance(prompt, str):
            if not all(isinstance(token, int | np.integer) and not isinstance(token, bool) for token in prompt):
                raise ValueError("a prompt must be a text or a list of token ids")
            return [int(token) for token in prompt]
        if self.tokenizer is None:
            raise ValueError("the folder has no tokenizer: give token ids instead of text")
        return self.tokenizer.encode(prompt)


def listed(prompts: Prompts) -> list[Prompt]:
    """One prompt is a list of one: a text, or ids."""
    if isinstance(prompts, str) or (len(prompts) > 0 and isinstance(prompts[0], int | np.integer)):
        return [cast(Prompt, prompts)]
    return list(cast(Sequence[Prompt], prompts))


def paired(
    prompts: Sequence[Prompt], params: SamplingParams | Sequence[SamplingParams]
) -> Iterable[tuple[Prompt, SamplingParams]]:
    """Each prompt with its parameters: the same for all, or one for each. ValueError when the counts differ."""
    if isinstance(params, SamplingParams):
        return [(prompt, params) for prompt in prompts]
    if len(params) != len(prompts):
        raise ValueError(f"{len(prompts)} prompts but {len(params)} sampling parameters: give one, or one for each")
    return list(zip(prompts, params, strict=True))
