"""The most tokens that a call may use, before anything is tokenized: what quotas reserve.

A token of a byte-level tokenizer holds at least a byte, so a prompt has no more tokens than bytes. What a chat template
adds is within the JSON of the messages (their quotes and field names) and `_TEMPLATE`.
"""

from __future__ import annotations

import json

from axk1.server.calls import ChatCall, EmbedCall, TextCall

__all__ = ["most_tokens"]

_TEMPLATE = 1024  # bytes: a default system message, how to call tools


def most_tokens(call: ChatCall | TextCall | EmbedCall, context: int | None) -> int:
    """Prompts and completions together; 0 where neither the context nor max_tokens bounds them."""
    if isinstance(call, EmbedCall):
        return sum(_within(_size(one), context) for one in call.inputs)
    most = call.sampling.max_tokens if not isinstance(call, TextCall) or call.generate else 0
    if most is None:
        most = context
    if most is None:
        return 0
    prompts = [_chat_size(call)] if isinstance(call, ChatCall) else [_size(one) for one in call.prompts]
    return sum(_within(prompt + most, context) + (call.n - 1) * _within(most, context) for prompt in prompts)


def _chat_size(call: ChatCall) -> int:
    whole = [one.to_dict() for one in call.messages] + [one.to_dict() for one in call.tools]
    return len(json.dumps(whole, ensure_ascii=False).encode()) + _TEMPLATE


def _size(prompt: str | tuple[int, ...]) -> int:
    return len(prompt.encode() if isinstance(prompt, str) else prompt) + 1  # and a token that begins the text


def _within(tokens: int, context: int | None) -> int:
    return tokens if context is None else min(tokens, context)
