"""A provider that plays a model for the tests of the fronts: the events that a script gives, nothing computed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from axk1.server.calls import (
    Answer,
    ChatCall,
    ContentPart,
    EmbedCall,
    Embedded,
    Event,
    Finished,
    ModelCard,
    PromptScores,
    ReasoningPart,
    TextCall,
    TokenizeCall,
    Tokens,
    TokenScore,
    Usage,
)
from axk1.server.errors import ApiError

Script = Callable[[ChatCall], Sequence[Event | Exception]]
CARD = ModelCard("played", 1_764_000_000, context=4096, embeddings=True, tokenizer=True)


class PlayedAnswer:
    """Gives its events one by one, `pause` seconds apart; an error among them is raised."""

    def __init__(self, events: Sequence[Event | Exception], usage: Usage, pause: float = 0.0) -> None:
        self._events, self._whole, self._pause = events, usage, pause
        self.usage = replace(usage, completion=0, reasoning=0)
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[Event]:
        for event in self._events:
            await asyncio.sleep(self._pause)
            if isinstance(event, Exception):
                raise event
            if isinstance(event, ReasoningPart):
                self.usage = self.usage.plus(Usage(completion=1, reasoning=1))
            elif not isinstance(event, PromptScores | Finished):
                self.usage = self.usage.plus(Usage(completion=1))
            yield event
        self.usage = self._whole

    async def aclose(self) -> None:
        self.closed = True


def talk(call: ChatCall) -> list[Event | Exception]:
    """Repeats the last message word by word, with a thought before it when asked to think; n times."""
    words = call.messages[-1].content.split(" ")
    events: list[Event | Exception] = []
    for choice in range(call.n):
        if call.thinking.enabled:
            events += [ReasoningPart(choice, "흠, "), ReasoningPart(choice, "그렇군.")]
        for place, word in enumerate(words):
            text = word if place == 0 else " " + word
            score = TokenScore(text, text.encode(), -0.5, place, (TokenScore(text, text.encode(), -0.5, place),))
            events.append(ContentPart(choice, text, () if call.sampling.logprobs is None else (score,)))
        events.append(Finished(choice, "stop"))
    return events


class PlayedProvider:
    """`script` makes the events of a chat; `calls` keeps what was asked, `answers` what was given."""

    def __init__(self, script: Script = talk, card: ModelCard = CARD, pause: float = 0.0) -> None:
        self.card, self._script, self._pause = card, script, pause
        self.calls: list[ChatCall | TextCall | EmbedCall | TokenizeCall] = []
        self.answers: list[PlayedAnswer] = []
        self.refusal: ApiError | None = None

    async def chat(self, call: ChatCall) -> Answer:
        self.calls.append(call)
        if self.refusal:
            raise self.refusal
        return self._answer(self._script(call), sum(len(one.content.split()) for one in call.messages))

    async def complete(self, call: TextCall) -> Answer:
        """Each prompt's words, scored if asked; then one word."""
        self.calls.append(call)
        if self.refusal:
            raise self.refusal
        events: list[Event | Exception] = []
        for choice in range(len(call.prompts) * call.n):
            prompt = str(call.prompts[choice // call.n])
            if call.sampling.prompt_logprobs is not None:
                words = [word if not place else " " + word for place, word in enumerate(prompt.split(" "))]
                scores = [TokenScore(one, one.encode(), None if not i else -1.0, i) for i, one in enumerate(words)]
                events.append(PromptScores(choice, tuple(scores)))
            if call.generate:
                score = TokenScore(" 끝", " 끝".encode(), -0.25, 7)
                events.append(ContentPart(choice, " 끝", () if call.sampling.logprobs is None else (score,)))
            events.append(Finished(choice, "stop" if call.generate else "length"))
        return self._answer(events, sum(len(str(one).split()) for one in call.prompts))

    async def embed(self, call: EmbedCall) -> Embedded:
        self.calls.append(call)
        return Embedded(tuple((1.0, 0.0) for _ in call.inputs), Usage(prompt=len(call.inputs)))

    async def tokenize(self, call: TokenizeCall) -> Tokens:
        self.calls.append(call)
        text = call.text if call.text is not None else "가 나"
        words = text.split(" ")
        return Tokens(tuple(range(len(words))), tuple(words), text)

    async def close(self) -> None:
        for answer in self.answers:
            await answer.aclose()

    def _answer(self, events: Sequence[Event | Exception], prompt: int) -> PlayedAnswer:
        parts = [one for one in events if not isinstance(one, PromptScores | Finished | Exception)]
        reasoning = sum(isinstance(one, ReasoningPart) for one in parts)
        answer = PlayedAnswer(events, Usage(prompt, len(parts), reasoning), self._pause)
        self.answers.append(answer)
        return answer
