"""How the next token is chosen and where a completion ends."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["COMPACT_JSON", "GREEDY", "Calls", "SamplingParams"]

MAX_LOGPROBS = 1000  # more per token would only fill memory
LARGEST_SEED = 2**63 - 1
# JSON as models are shown it, in llguidance's words: small models that may write white space as they like would write
# nothing else for ever. A schema says otherwise by its own `x-guidance`.
COMPACT_JSON: Mapping[str, Any] = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


@dataclass(frozen=True)
class Calls:
    """Tool calls in free text: once the token `begin` is chosen, what follows matches `grammar` (Lark) to its end, up
    to `most` times; then the completion ends. Without a grammar `begin` is never chosen."""

    begin: int
    grammar: str | None = None
    most: int | None = None


@dataclass(frozen=True)
class SamplingParams:
    """Field names and meanings are vLLM's; the temperature and top_p are those of A.X K1's own example (model card).

    Choice: `temperature` 0 takes the likeliest token. Otherwise `top_k` keeps that many (0 or -1: all), `top_p` the
    likeliest that sum to that probability, `min_p` those at least that fraction as likely as the first. `seed` None
    draws one.
    Penalties: `presence_penalty` and `frequency_penalty` look at the completion, `repetition_penalty` (1: none) at the
    prompt too. `logit_bias` is added to the logits of its ids.
    End: `max_tokens` (None: as far as the context goes), `stop` texts, which are cut off, `stop_token_ids`, and the
    model's own end unless `ignore_eos`.
    Report: `logprobs` and `prompt_logprobs` give the log-probability of each token and of so many likeliest.
    Structure: at most one of `json_schema` (text or mapping), `regex`, `grammar` (Lark) that the completion matches, or
    `calls` in free text. With `thinking` the completion begins with reasoning, which `</think>` ends, after
    `thinking_budget` tokens at the latest; a structure and `stop` are about what comes behind it, and so is the model's
    own end.
    Raises ValueError in one line for a value that makes no sense.
    """

    temperature: float = 0.6
    top_p: float = 0.95
    seed: int | None = 0
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: Mapping[int, float] = field(default_factory=dict, hash=False)
    max_tokens: int | None = None
    stop: str | Sequence[str] = ()
    stop_token_ids: Sequence[int] = ()
    ignore_eos: bool = False
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    json_schema: str | Mapping[str, Any] | None = field(default=None, hash=False)
    regex: str | None = None
    grammar: str | None = None
    calls: Calls | None = None
    thinking: bool = False
    thinking_budget: int | None = None

    def __post_init__(self) -> None:
        # one stop text is a list of one; tuples, so that nobody changes them later
        object.__setattr__(self, "stop", (self.stop,) if isinstance(self.stop, str) else tuple(self.stop))
        object.__setattr__(self, "stop_token_ids", tuple(self.stop_token_ids))
        self._check_choice()
        self._check_penalties()
        self._check_end()
        self._check_structure()

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is always taken."""
        return self.temperature == 0

    @property
    def penalised(self) -> bool:
        """Whether the tokens so far weigh on the next one."""
        return bool(self.presence_penalty or self.frequency_penalty) or self.repetition_penalty != 1

    @property
    def structured(self) -> bool:
        """Whether the completion must match a schema, a regex or a grammar."""
        return any(one is not None for one in (self.json_schema, self.regex, self.grammar))

    @property
    def shaped(self) -> bool:
        """Whether anything but the model says which tokens may come."""
        return self.structured or self.calls is not None or self.thinking

    def _check_choice(self) -> None:
        _need(_finite(self.temperature) and self.temperature >= 0, "temperature must be 0 or more", self.temperature)
        _need(_finite(self.top_p) and 0 < self.top_p <= 1, "top_p must be above 0 and at most 1", self.top_p)
        _need(_whole(self.top_k) and self.top_k >= -1, "top_k must be at least 1, or 0 for all tokens", self.top_k)
        _need(_finite(self.min_p) and 0 <= self.min_p <= 1, "min_p must be from 0 to 1", self.min_p)
        if self.seed is not None:
            seed_is_fit = _whole(self.seed) and 0 <= self.seed <= LARGEST_SEED
            _need(seed_is_fit, f"seed must be a whole number from 0 to {LARGEST_SEED}", self.seed)

    def _check_penalties(self) -> None:
        for name in ("presence_penalty", "frequency_penalty"):
            value = getattr(self, name)
            _need(_finite(value) and -2 <= value <= 2, f"{name} must be from -2 to 2", value)
        fits = _finite(self.repetition_penalty) and 0.01 <= self.repetition_penalty <= 100
        _need(fits, "repetition_penalty must be from 0.01 to 100 (1 changes nothing)", self.repetition_penalty)
        for token, bias in self.logit_bias.items():
            _need(_whole(token) and token >= 0, "logit_bias must have token ids as keys", token)
            _need(_finite(bias) and -100 <= bias <= 100, "logit_bias values must be from -100 to 100", bias)

    def _check_end(self) -> None:
        if self.max_tokens is not None:
            _need(_whole(self.max_tokens) and self.max_tokens >= 1, "max_tokens must be at least 1", self.max_tokens)
        for text in self.stop:
            _need(isinstance(text, str) and text != "", "a stop text must not be empty", text)
        for token in self.stop_token_ids:
            _need(_whole(token) and token >= 0, "stop_token_ids must be token ids", token)
        for name in ("logprobs", "prompt_logprobs"):
            value = getattr(self, name)
            if value is not None:
                _need(_whole(value) and 0 <= value <= MAX_LOGPROBS, f"{name} must be from 0 to {MAX_LOGPROBS}", value)

    def _check_structure(self) -> None:
        budget = self.thinking_budget
        if budget is not None:
            _need(
                _whole(budget) and budget >= 1 and self.thinking, "thinking_budget goes with thinking, from 1", budget
            )
        asked = [name for name in ("json_schema", "regex", "grammar", "calls") if getattr(self, name) is not None]
        if len(asked) > 1:
            raise ValueError(f"only one structure can be asked for, not {' and '.join(asked)}")
        if isinstance(self.json_schema, str):
            try:
                json.loads(self.json_schema)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"json_schema is not JSON: {error}") from error
        for name in ("regex", "grammar"):
            _need(getattr(self, name) != "", f"{name} must not be empty", "")


def _need(holds: bool, rule: str, found: object) -> None:
    if not holds:
        raise ValueError(f"{rule}, not {found!r}")


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


GREEDY = SamplingParams(temperature=0.0, top_p=1.0)
