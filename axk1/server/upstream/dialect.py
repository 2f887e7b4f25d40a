"""What a kind of upstream server understands beyond plain OpenAI requests, and how it wants it said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, get_args

__all__ = ["DIALECTS", "Ability", "Dialect", "dialect", "kind_of_owner"]

Ability = Literal[
    "completions",  # /v1/completions
    "embeddings",  # /v1/embeddings
    "tokenize",  # /tokenize and /detokenize in vLLM's form, beside /v1
    "thinking",  # chat_template_kwargs.enable_thinking
    "template",  # further chat_template_kwargs
    "thinking_budget",  # a bound on reasoning that is kept to the token
    "tools",
    "schema",  # response_format with a JSON schema
    "guided",  # structured_outputs: regex and Lark grammars, and schemas for completions
    "n",
    "seed",
    "logprobs",
    "prompt_logprobs",
    "logit_bias",
    "top_k",
    "min_p",
    "repetition_penalty",
    "stop_token_ids",
    "ignore_eos",
    "running_usage",  # stream_options.continuous_usage_stats: usage in every chunk
]


@dataclass(frozen=True)
class Dialect:
    """`abilities` says which fields may be sent; `reasoning` names the message field for earlier reasoning ("": none),
    `budget` the field that bounds reasoning.

    `usage` says whether stream_options.include_usage is known, `listed` whether /v1/models may be asked as often as one
    likes: that is how an upstream's health is checked.
    """

    abilities: frozenset[Ability]
    reasoning: str = ""
    budget: str = "thinking_token_budget"
    usage: bool = True
    listed: bool = True

    def can(self, ability: Ability) -> bool:
        """Whether the upstream has it."""
        return ability in self.abilities

    def changed(self, allow: Sequence[str], deny: Sequence[str]) -> Dialect:
        """With some abilities added or taken away, as the operator knows better. ValueError for an unknown one."""
        known = get_args(Ability)
        for name in (*allow, *deny):
            if name not in known:
                raise ValueError(f"no ability {name!r} of an upstream: use {', '.join(known)}")
        added = frozenset(name for name in known if name in allow)
        return replace(self, abilities=(self.abilities | added) - frozenset(deny))


_ALL: frozenset[Ability] = frozenset(get_args(Ability))
_PLAIN: frozenset[Ability] = frozenset({"tools", "schema", "n", "seed", "logprobs", "logit_bias"})
_LOCAL: frozenset[Ability] = _PLAIN.union({"completions", "thinking", "template", "top_k", "min_p"})
_SGLANG: frozenset[Ability] = _LOCAL.union({"repetition_penalty", "stop_token_ids", "ignore_eos", "running_usage"})

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "axk1": Dialect(_ALL, "reasoning_content"),
        # vLLM keeps thinking_token_budget only where it was started with --reasoning-config
        "vllm": Dialect(_ALL.difference({"embeddings", "thinking_budget"}), "reasoning"),
        "sglang": Dialect(_SGLANG, "reasoning_content"),
        "llamacpp": Dialect(_LOCAL, "reasoning_content", "thinking_budget_tokens"),
        "openai": Dialect(_PLAIN.union({"embeddings"})),
        # the hosted A.X K1 API: what its guide lists, and no more; it takes three requests a second
        "adot": Dialect(frozenset({"thinking", "top_k"}), listed=False),
    }
)


def dialect(kind: str) -> Dialect:
    """The dialect of a kind. ValueError that lists the kinds."""
    if kind not in DIALECTS:
        raise ValueError(f"no kind of upstream {kind!r}: use {', '.join(DIALECTS)}, or leave it out to ask the server")
    return DIALECTS[kind]


def kind_of_owner(owner: object) -> str:
    """The kind that /v1/models gives away by `owned_by`; plain OpenAI where it says nothing known."""
    return owner if isinstance(owner, str) and owner in DIALECTS else "openai"
