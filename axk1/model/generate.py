"""Batched generation from a torch model: for evaluation during training, samples and RL. Serving is the engine's work.

Shape letters: B rows, T columns, S columns so far, D hidden size, W vocabulary, X prompts, N new tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from axk1.model.cache import LatentCache, attend
from axk1.model.transformer import Transformer

PREFILL_TOKENS = 4096  # read at once: enough to fill the matrix units, few enough to stay in the cache


@dataclass(frozen=True)
class Sampling:
    """Temperature 0 takes the likeliest token; `top_p` keeps the smallest set of tokens with that much probability."""

    temperature: float = 0.0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise ValueError(f"temperature must be 0 or more, found {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must lie above 0 and up to 1, found {self.top_p}")


class Generator:
    """Continues prompts of any lengths together, `batch_size` at a time, with a latent KV cache."""

    def __init__(self, model: Transformer, batch_size: int = 128) -> None:
        self.model = model
        self.batch_size = batch_size

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int,
        eos: frozenset[int],
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> list[list[int]]:
        """The new ids of each prompt, without the `eos` id that ended it (a full count means it was cut off).

        Sampling depends on the seed and the prompt's index, not on who shares its batch. Raises ValueError for an empty
        prompt, an id outside the vocabulary, or more tokens than the context holds.
        """
        sampling = Sampling(temperature, top_p)
        uniform_XN = torch.rand(len(prompts), max_new_tokens, generator=torch.Generator().manual_seed(seed))
        replies: list[list[int]] = [[] for _ in prompts]
        # prompts of like length share a batch, so that little padding is computed
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        for first in range(0, len(order), self.batch_size):
            batch = order[first : first + self.batch_size]
            for step in self._steps([prompts[index] for index in batch], eos, sampling, uniform_XN[batch]):
                for row, token in step:
                    replies[batch[row]].append(token)
        return replies

    def stream(
        self,
        prompt: Sequence[int],
        max_new_tokens: int,
        eos: frozenset[int],
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> Iterator[int]:
        """The ids that `generate` gives for this prompt alone, one by one as they are made."""
        uniform_1N = torch.rand(1, max_new_tokens, generator=torch.Generator().manual_seed(seed))
        for step in self._steps([prompt], eos, Sampling(temperature, top_p), uniform_1N):
            for _, token in step:
                yield token

    @torch.inference_mode()
    def _steps(
        self, prompts: Sequence[Sequence[int]], eos: frozenset[int], sampling: Sampling, uniform_BN: Tensor
    ) -> Iterator[list[tuple[int, int]]]:
        """Yields per step the (prompt, token) pairs of the rows that go on; a step uses one column of `uniform_BN`."""
        steps = uniform_BN.shape[1]
        self._check(prompts, steps)
        tokens_BT, start_B = _left_padded(prompts)
        cache = LatentCache(self.model.config, start_B, tokens_BT.shape[1] + steps, self.model.dtype)
        rows = list(range(len(prompts)))
        for step in range(steps):
            logits_BW = self._logits(tokens_BT, cache)
            tokens = choose(logits_BW, sampling, uniform_BN[rows, step]).tolist()
            for row in reversed([row for row, token in enumerate(tokens) if token in eos]):
                cache.drop(row)
                rows[row], tokens[row] = rows[-1], tokens[-1]
                del rows[-1], tokens[-1]
            yield list(zip(rows, tokens, strict=True))
            if not rows:
                return
            tokens_BT = torch.tensor(tokens).unsqueeze(1)

    def _logits(self, tokens_BT: Tensor, cache: LatentCache) -> Tensor:
        """Appends the columns to the cache, a piece at a time, and gives the logits after the last: float32 [B, W]."""
        for piece_BT in torch.split(tokens_BT, max(PREFILL_TOKENS // len(tokens_BT), 1), dim=1):
            last_BD = self._append(piece_BT, cache)
        normed_BD: Tensor = self.model.model.norm(last_BD)
        logits_BW: Tensor = functional.linear(normed_BD, self.model.head)
        return logits_BW.float()

    def _append(self, tokens_BT: Tensor, cache: LatentCache) -> Tensor:
        columns = tokens_BT.shape[1]
        tables = self.model.rope.tables(torch.arange(cache.length, cache.length + columns))
        alone = columns == 1 and not cache.start_B.any()
        hidden_B1TS = None if alone else cache.hidden_columns(columns)
        x_BTD = self.model.model.embed_tokens(tokens_BT)
        for layer, block in enumerate(self.model.blocks):
            x_BTD = x_BTD + attend(block.self_attn, block.input_layernorm(x_BTD), tables, cache, layer, hidden_B1TS)
            x_BTD, _ = block.feed_forward(x_BTD)
        cache.length += columns
        last_BD: Tensor = x_BTD[:, -1]
        return last_BD

    def _check(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> None:
        config = self.model.config
        for prompt in prompts:
            if not prompt:
                raise ValueError("a prompt is empty: it needs at least one token")
            if min(prompt) < 0 or max(prompt) >= config.vocab_size:
                raise ValueError(f"a prompt holds ids outside the model's vocabulary of {config.vocab_size}")
            if len(prompt) + new_tokens > config.max_position_embeddings:
                raise ValueError(
                    f"a prompt of {len(prompt)} tokens and {new_tokens} new ones exceed the context of "
                    f"{config.max_position_embeddings}"
                )


def choose(logits_BW: Tensor, sampling: Sampling, uniform_B: Tensor) -> Tensor:
    """One id per row: the likeliest, or the one at which the cumulated probability passes the row's uniform number."""
    if sampling.temperature == 0:
        return logits_BW.argmax(-1)
    probability_BW = (logits_BW.double() / sampling.temperature).softmax(-1)
    if sampling.top_p == 1:
        return _at(probability_BW, uniform_B)
    sorted_BW, id_BW = probability_BW.sort(-1, descending=True)
    before_BW = sorted_BW.cumsum(-1) - sorted_BW
    kept_BW = sorted_BW.masked_fill(before_BW >= sampling.top_p, 0.0)
    return id_BW.gather(1, _at(kept_BW, uniform_B).unsqueeze(1)).squeeze(1)


def _at(weight_BW: Tensor, uniform_B: Tensor) -> Tensor:
    total_BW = weight_BW.cumsum(-1)
    goal_B1 = uniform_B.double().unsqueeze(1) * total_BW[:, -1:]
    return torch.searchsorted(total_BW, goal_B1, right=True).squeeze(1).clamp_max(weight_BW.shape[1] - 1)


def _left_padded(prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Ids aligned at the right [B, T] (padding is id 0, never looked at) and each row's first real column [B]."""
    width = max(len(prompt) for prompt in prompts)
    tokens_BT = torch.zeros(len(prompts), width, dtype=torch.int64)
    for row, prompt in enumerate(prompts):
        tokens_BT[row, width - len(prompt) :] = torch.tensor(prompt)
    return tokens_BT, torch.tensor([width - len(prompt) for prompt in prompts])
