"""What every API asks of whatever answers, in one form: calls in, events out.

The fronts (OpenAI chat, completions, responses, Anthropic messages) turn their requests into these calls and these
events into their replies; a `Provider` (our engine, an upstream server, several of them) turns calls into events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from axk1.chat.messages import Message, Tool
from axk1.chat.sampling import SamplingParams

__all__ = [
    "Answer",
    "ChatCall",
    "ContentPart",
    "EmbedCall",
    "Embedded",
    "Event",
    "FinishReason",
    "Finished",
    "ModelCard",
    "PromptScores",
    "Provider",
    "ReasoningPart",
    "TextCall",
    "Thinking",
    "TokenScore",
    "TokenizeCall",
    "Tokens",
    "ToolArguments",
    "ToolCallBegin",
    "ToolChoice",
    "Usage",
]

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True)
class Thinking:
    """Whether the model reasons before it answers, and with how many tokens at most (None: as many as it likes)."""

    enabled: bool = False
    budget: int | None = None


@dataclass(frozen=True)
class ToolChoice:
    """Whether tools may be called ("auto"), must not ("none"), must ("required"); `names` allows only these of them."""

    mode: Literal["auto", "none", "required"] = "auto"
    names: tuple[str, ...] = ()
    parallel: bool = True  # more than one call in a reply


@dataclass(frozen=True)
class ChatCall:
    """A conversation to be continued, `n` times. `sampling.max_tokens` counts reasoning and answer together.

    A structure in `sampling` binds the answer, not the reasoning. `sampling.logprobs` are those of the answer's tokens.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    thinking: Thinking = Thinking()
    sampling: SamplingParams = field(default_factory=SamplingParams)
    n: int = 1
    template_kwargs: Mapping[str, object] = field(default_factory=dict, hash=False)  # beside enable_thinking


@dataclass(frozen=True)
class TextCall:
    """Texts or lists of token ids to be continued, each `n` times; the choice of prompt p and sample i is p * n + i.

    `generate` False reads the prompts for their log-probabilities and adds nothing.
    """

    model: str
    prompts: tuple[str | tuple[int, ...], ...]
    sampling: SamplingParams = field(default_factory=SamplingParams)
    n: int = 1
    generate: bool = True


@dataclass(frozen=True)
class EmbedCall:
    """Texts or lists of token ids to be made vectors."""

    model: str
    inputs: tuple[str | tuple[int, ...], ...]


@dataclass(frozen=True)
class TokenizeCall:
    """One of: a text, a conversation as the model would read it, or ids to be made text again."""

    model: str
    text: str | None = None
    chat: ChatCall | None = None
    ids: tuple[int, ...] | None = None


@dataclass(frozen=True)
class TokenScore:
    """A token with the natural logarithm of its probability. `data` are the bytes that it gives to the text: joined
    over a reply they are its UTF-8. `logprob` is None only for the first token of a prompt, `id` only where an upstream
    names none; `top` are the likeliest at its place."""

    token: str
    data: bytes
    logprob: float | None
    id: int | None = None
    top: tuple[TokenScore, ...] = ()
    rank: int | None = None  # 1 for the likeliest; None where it is not told


@dataclass(frozen=True)
class ReasoningPart:
    """A further piece of the reasoning."""

    choice: int
    text: str


@dataclass(frozen=True)
class ContentPart:
    """A further piece of the answer. Scores may come a part before or after the text that their bytes give."""

    choice: int
    text: str
    scores: tuple[TokenScore, ...] = ()


@dataclass(frozen=True)
class ToolCallBegin:
    """The `index`-th tool call of a choice begins; its id stays. The one before it is complete."""

    choice: int
    index: int
    id: str
    name: str


@dataclass(frozen=True)
class ToolArguments:
    """A further piece of a call's arguments; joined they are a JSON object."""

    choice: int
    index: int
    text: str


@dataclass(frozen=True)
class PromptScores:
    """The prompt's own tokens, before all else of the choice. The first one has no probability."""

    choice: int
    scores: tuple[TokenScore, ...]


@dataclass(frozen=True)
class Finished:
    """A choice is complete; `stop` is the stop text or stop token that ended it, if one did."""

    choice: int
    reason: FinishReason
    stop: str | int | None = None


Event = ReasoningPart | ContentPart | ToolCallBegin | ToolArguments | PromptScores | Finished


@dataclass(frozen=True)
class Usage:
    """Tokens: of the prompt, of all completions (their reasoning included), and of the prompt those from the cache."""

    prompt: int = 0
    completion: int = 0
    reasoning: int = 0
    cached: int = 0

    def plus(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


class Answer(Protocol):
    """The events of one call as they happen. `usage` counts what has been used so far, also after a break-off.

    Iterating ends when every choice has `Finished`; ApiError rises here. `aclose` cancels what still runs and is
    harmless when all is done. Text never holds half a character (U+FFFD).
    """

    @property
    def usage(self) -> Usage: ...
    def __aiter__(self) -> AsyncIterator[Event]: ...
    async def aclose(self) -> None: ...


@dataclass(frozen=True)
class Embedded:
    """One vector of length 1 for each input, and the tokens read."""

    vectors: tuple[tuple[float, ...], ...]
    usage: Usage


@dataclass(frozen=True)
class Tokens:
    """Ids and what each is by itself (bytes that are no text are spelt out); `text` is that of all ids, in which such
    bytes become U+FFFD."""

    ids: tuple[int, ...]
    pieces: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class ModelCard:
    """What a model can do. `context` None: not known."""

    name: str
    created: int  # seconds since 1970
    owner: str = "axk1"
    context: int | None = None
    thinking: bool = True
    tools: bool = True
    logprobs: bool = True
    embeddings: bool = False
    tokenizer: bool = False


class Provider(Protocol):
    """What answers calls for its model. `chat` and `complete` return at once or raise ApiError for a call that cannot
    be answered (too long, a schema that cannot be followed, a queue that is full): before anything is sent."""

    @property
    def card(self) -> ModelCard: ...
    async def chat(self, call: ChatCall) -> Answer: ...
    async def complete(self, call: TextCall) -> Answer: ...
    async def embed(self, call: EmbedCall) -> Embedded: ...
    async def tokenize(self, call: TokenizeCall) -> Tokens: ...
    async def close(self) -> None: ...
