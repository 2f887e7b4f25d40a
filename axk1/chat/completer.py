"""What completes a prompt: in ids, as models do, and in messages, as people do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from axk1.chat.messages import Message, Reply, Tool
from axk1.chat.parser import parse
from axk1.chat.sampling import GREEDY, SamplingParams
from axk1.chat.template import render
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["ChatCompleter", "MessageCompleter", "TokenCompleter"]


class TokenCompleter(Protocol):
    """Ids in, ids out; a completion ends with, or before, the end-of-turn token or after `max_new_tokens`."""

    def complete(
        self, prompts: Sequence[list[int]], max_new_tokens: int, sampling: SamplingParams = GREEDY
    ) -> list[list[int]]:
        """One completion for each prompt, without the prompt."""
        ...


class MessageCompleter(Protocol):
    """A conversation in, the assistant's reply out."""

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] = (),
        enable_thinking: bool = False,
        sampling: SamplingParams = GREEDY,
    ) -> Reply:
        """What the assistant says next."""
        ...


@dataclass(frozen=True)
class ChatCompleter:
    """A MessageCompleter made of a TokenCompleter: the chat format put around it."""

    completer: TokenCompleter
    tokenizer: Tokenizer
    max_new_tokens: int

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] = (),
        enable_thinking: bool = False,
        sampling: SamplingParams = GREEDY,
    ) -> Reply:
        """What the assistant says next."""
        prompt = self.tokenizer.encode(render(messages, tools, enable_thinking, add_generation_prompt=True))
        (completion,) = self.completer.complete([prompt], self.max_new_tokens, sampling)
        return parse(self.tokenizer.decode(completion), enable_thinking)
