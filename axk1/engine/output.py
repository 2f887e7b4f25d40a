"""What a request gives back: piece by piece, or whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from axk1.engine.sampler import Logprob
from axk1.engine.stop import FinishReason

__all__ = ["Delta", "Logprobs", "RequestOutput"]

Logprobs = tuple[Mapping[int, Logprob], ...]
"""For each token a mapping from id to log-probability: the token's own and those of the likeliest."""


@dataclass(frozen=True)
class Delta:
    """What one step adds. `text` may lag behind the tokens: it waits for whole characters and possible stop texts.

    The last one has a `finish_reason`; `stop_reason` is the stop text or stop token that ended it, None otherwise.
    """

    text: str = ""
    token_ids: tuple[int, ...] = ()
    logprobs: Logprobs | None = None
    finish_reason: FinishReason | None = None
    stop_reason: int | str | None = None


@dataclass(frozen=True)
class RequestOutput:
    """A whole completion. `token_ids` hold the token that ended it, `text` does not, nor any stop text.

    `logprobs` and `prompt_logprobs` are None unless asked for; the first token of a prompt has none. `cached_tokens`
    of the prompt were found in the cache; of `drafted_tokens` that speculation proposed, `accepted_tokens` came true.
    """

    prompt_token_ids: tuple[int, ...]
    text: str
    token_ids: tuple[int, ...]
    logprobs: Logprobs | None
    prompt_logprobs: tuple[Mapping[int, Logprob] | None, ...] | None
    finish_reason: FinishReason
    stop_reason: int | str | None
    cached_tokens: int
    drafted_tokens: int = 0
    accepted_tokens: int = 0

    @classmethod
    def joined(
        cls,
        prompt: Sequence[int],
        deltas: Sequence[Delta],
        prompt_logprobs: Sequence[Mapping[int, Logprob] | None] | None,
        cached_tokens: int,
        drafted_tokens: int = 0,
        accepted_tokens: int = 0,
    ) -> RequestOutput:
        """The deltas of one request, put together."""
        last = deltas[-1]
        assert last.finish_reason is not None
        logged = any(delta.logprobs is not None for delta in deltas)
        return cls(
            prompt_token_ids=tuple(prompt),
            text="".join(delta.text for delta in deltas),
            token_ids=tuple(token for delta in deltas for token in delta.token_ids),
            logprobs=tuple(one for delta in deltas for one in delta.logprobs or ()) if logged else None,
            prompt_logprobs=None if prompt_logprobs is None else tuple(prompt_logprobs),
            finish_reason=last.finish_reason,
            stop_reason=last.stop_reason,
            cached_tokens=cached_tokens,
            drafted_tokens=drafted_tokens,
            accepted_tokens=accepted_tokens,
        )
