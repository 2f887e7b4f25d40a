"""A conversation with a model: history, thinking, tools; the text that comes in goes out again as events."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from axk1.chat.messages import Message, Tool
from axk1.chat.parser import Event, StreamParser, parse
from axk1.chat.template import render
from axk1.tokenizer.tokenizer import StreamDecoder, Tokenizer

__all__ = ["Stream", "Talk"]

Stream = Callable[[list[int]], Iterator[int]]
"""The ids of a prompt in, the ids of the reply out as they are made, without the one that ends the turn."""


@dataclass
class Talk:
    """One conversation; `context` is the most tokens that a prompt may have."""

    tokenizer: Tokenizer
    stream: Stream
    context: int
    thinking: bool = False
    tools: tuple[Tool, ...] = ()
    messages: list[Message] = field(default_factory=list)

    def say(self, text: str) -> Iterator[Event]:
        """The user says `text`: yields what the assistant replies, which then belongs to the history.

        A reply that is broken off (by closing the iterator) leaves the history as it was. ValueError when the text
        alone is longer than the context.
        """
        asked, prompt = self._fitting([*self.messages, Message("user", text)])
        decoder, parser, said = StreamDecoder(self.tokenizer), StreamParser(self.thinking), list[str]()
        for token in self.stream(prompt):
            said.append(decoder.push(token))
            yield from parser.push(said[-1])
        said.append(decoder.flush())
        yield from [*parser.push(said[-1]), *parser.close()]
        self.messages = [*asked, parse("".join(said), self.thinking).to_message()]

    def reset(self) -> None:
        """Forget everything but the system message."""
        self.messages = [message for message in self.messages if message.role == "system"]

    def _fitting(self, messages: list[Message]) -> tuple[list[Message], list[int]]:
        """The newest messages that fit into the context, from a user's message on, behind the system message."""
        system = [message for message in messages if message.role == "system"]
        turns = [message for message in messages if message.role != "system"]
        while True:
            prompt = self.tokenizer.encode(
                render([*system, *turns], self.tools, self.thinking, add_generation_prompt=True)
            )
            if len(prompt) <= self.context:
                return [*system, *turns], prompt
            later = [place for place, message in enumerate(turns) if place and message.role == "user"]
            if not later:
                raise ValueError(f"the message has {len(prompt)} tokens, the model reads at most {self.context}")
            turns = turns[later[0] :]
