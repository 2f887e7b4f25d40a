"""Our engine behind the gateway: calls in, answers out, many at a time in one batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, Self

from axk1.chat.format import ChatFormat, ChatPrompt
from axk1.chat.sampling import LARGEST_SEED, SamplingParams
from axk1.checkpoint import CheckpointFolder
from axk1.engine.engine import Engine, Limits
from axk1.engine.loop import QueueFullError
from axk1.engine.output import Delta
from axk1.engine.stream import AsyncStream
from axk1.server.calls import (
    Answer,
    ChatCall,
    EmbedCall,
    Embedded,
    Event,
    ModelCard,
    PromptScores,
    TextCall,
    TokenizeCall,
    Tokens,
    TokenScore,
    Usage,
)
from axk1.server.engine.choice import ChatChoice, TextChoice
from axk1.server.engine.scores import score, token_text
from axk1.server.engine.tool_grammar import offered, with_calls
from axk1.server.errors import ApiError, bad_request, overloaded
from axk1.tokenizer.special import END_THINK
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["EngineProvider"]

_AT_ONCE = 256  # sequences of a step
_WHOLE_CONTEXTS = 64  # that fit into the cache, if memory allows
_LONG = 20_000  # characters: a longer text is read by another thread, while the event loop goes on


class EngineProvider:
    """One model folder. Made by `open`; `close` gives its memory back."""

    def __init__(self, engine: Engine, chat_format: ChatFormat | None, name: str, created: int) -> None:
        if engine.tokenizer is None:
            raise ValueError("the folder has no tokenizer: a server needs one")
        self.engine = engine
        self._tokenizer: Tokenizer = engine.tokenizer
        self._format = chat_format
        self.card = ModelCard(
            name,
            created,
            context=engine.context,
            thinking=chat_format is not None and END_THINK in engine.tokenizer.named_ids,
            tools=chat_format is not None,
            embeddings=True,
            tokenizer=True,
        )

    @classmethod
    def open(cls, folder: Path, name: str = "", **options: Any) -> Self:
        """`options` are those of `Engine.open`. CheckpointError, ValueError, OSError."""
        context = CheckpointFolder(folder).config.max_position_embeddings
        # many short conversations at once, in no more cache than a few long ones take
        limits = Limits(max_sequences=_AT_ONCE, cache_tokens=_WHOLE_CONTEXTS * context)
        engine = Engine.open(folder, **{"limits": limits, **options})
        try:
            chat_format = None if engine.tokenizer is None else ChatFormat.of(folder, engine.tokenizer)
            created = int((folder / "config.json").stat().st_mtime)
            return cls(engine, chat_format, name or folder.resolve().name, created)
        except BaseException:
            engine.close()
            raise

    async def chat(self, call: ChatCall) -> Answer:
        """ApiError for what cannot be answered: before the first token."""
        tools = offered(call.tools, call.tool_choice)
        prompt = await self._prompt(call)
        params = self._chat_params(call, prompt)
        self._check_room(len(prompt.ids), params.max_tokens)
        with_tools = with_calls(params, tools, call.tool_choice, self._tokenizer)
        self._check_structure(call, params, with_tools)
        own_ends = set(self.engine.config.special_token_ids) - set(call.sampling.stop_token_ids)
        choices = [
            ChatChoice(number, self._tokenizer, prompt.thinking, params.logprobs, bool(tools), own_ends)
            for number in range(call.n)
        ]
        return self._answer([prompt.ids] * call.n, _seeded(with_tools, call.n), choices, shared_prompt=True)

    async def complete(self, call: TextCall) -> Answer:
        """As `chat`."""
        prompts = [await self._ids(prompt) for prompt in call.prompts]
        params = call.sampling if call.generate else replace(call.sampling, max_tokens=1)
        for ids in prompts:
            self._check_room(len(ids), params.max_tokens if call.generate else 0)
        self._check(params)
        spread = [ids for ids in prompts for _ in range(call.n)]
        choices = [TextChoice(number, self._tokenizer, params.logprobs) for number in range(len(spread))]
        seeded = _seeded(params, call.n) * len(prompts)
        return self._answer(spread, seeded, choices, generate=call.generate, samples=call.n)

    async def embed(self, call: EmbedCall) -> Embedded:
        """Mean of the hidden states, of length 1."""
        prompts = [await self._ids(prompt) for prompt in call.inputs]
        for ids in prompts:
            self._check_room(len(ids), None)
        made = await asyncio.gather(*(asyncio.to_thread(self._vector, ids) for ids in prompts))
        return Embedded(tuple(made), Usage(prompt=sum(map(len, prompts))))

    async def tokenize(self, call: TokenizeCall) -> Tokens:
        """Ids and the text of each."""
        if call.chat is not None:
            ids = (await self._prompt(call.chat)).ids
        elif call.ids is not None:
            ids = self._known(call.ids)
        else:
            assert call.text is not None
            ids = await self._encoded(call.text)
        pieces = tuple(token_text(self._tokenizer.bytes_of(token)) for token in ids)
        return Tokens(tuple(ids), pieces, self._tokenizer.decode(ids))

    async def close(self) -> None:
        """Ends what runs."""
        await asyncio.to_thread(self.engine.close)

    async def _prompt(self, call: ChatCall) -> ChatPrompt:
        if self._format is None:
            raise bad_request(f"the model {self.card.name!r} has no chat template: use /v1/completions", "messages")
        tools = offered(call.tools, call.tool_choice)
        thinking = call.thinking.enabled and call.thinking.budget != 0
        size = sum(len(message.content) for message in call.messages)
        arguments = (call.messages, tools, thinking, call.template_kwargs)
        try:
            if size > _LONG:
                return await asyncio.to_thread(self._format.prompt, *arguments)
            return self._format.prompt(*arguments)
        except ValueError as error:
            raise bad_request(str(error), "messages") from error

    def _chat_params(self, call: ChatCall, prompt: ChatPrompt) -> SamplingParams:
        """Turns end at the model's own end; a budget holds where the reasoning has begun."""
        budget = call.thinking.budget if prompt.thinking else None
        ends = (*call.sampling.stop_token_ids, *self.engine.config.special_token_ids)
        return replace(call.sampling, thinking=prompt.thinking, thinking_budget=budget or None, stop_token_ids=ends)

    def _check_structure(self, call: ChatCall, plain: SamplingParams, with_tools: SamplingParams) -> None:
        self._check(plain)
        try:
            self.engine.check(with_tools)
        except ValueError:
            for tool in call.tools:
                try:
                    self.engine.check(with_calls(plain, [tool], call.tool_choice, self._tokenizer))
                except ValueError as error:
                    message = f"the parameters of the tool {tool.name!r} cannot be followed: {error}"
                    raise bad_request(message, "tools") from error
            raise

    def _check(self, params: SamplingParams) -> None:
        try:
            self.engine.check(params)
        except ValueError as error:
            raise bad_request(str(error), "response_format" if params.structured else None) from error

    def _check_room(self, prompt: int, asked: int | None) -> None:
        """Nothing is cut off silently: what does not fit is refused with both numbers."""
        context = self.engine.context
        if prompt == 0:
            raise bad_request("the prompt is empty: it needs at least one token", "prompt")
        if asked is None or asked == 0:
            if prompt + (asked is None) > context:
                raise _too_long(f"the prompt has {prompt} tokens, the model's context is {context} tokens")
        elif prompt + asked > context:
            raise _too_long(
                f"the prompt has {prompt} tokens and max_tokens is {asked}, together {prompt + asked}: "
                f"the model's context is {context} tokens"
            )

    async def _ids(self, prompt: str | tuple[int, ...]) -> list[int]:
        return await self._encoded(prompt) if isinstance(prompt, str) else self._known(prompt)

    def _known(self, ids: Iterable[int]) -> list[int]:
        found = list(ids)
        for token in found:
            if not 0 <= token < self._tokenizer.vocab_size:
                known = self._tokenizer.vocab_size
                raise bad_request(f"token id {token} is not in the vocabulary of {known}", "prompt")
        return found

    async def _encoded(self, text: str) -> list[int]:
        if len(text) > _LONG:
            return await asyncio.to_thread(self._tokenizer.encode, text)
        return self._tokenizer.encode(text)

    def _vector(self, ids: list[int]) -> tuple[float, ...]:
        return tuple(self.engine.embed([ids])[0].tolist())

    def _answer(
        self,
        prompts: Sequence[list[int]],
        params: Sequence[SamplingParams],
        choices: Sequence[Choice],
        generate: bool = True,
        samples: int = 1,
        shared_prompt: bool = False,
    ) -> Answer:
        streams: list[AsyncStream] = []
        try:
            for ids, one in zip(prompts, params, strict=True):
                streams.append(self.engine.astream(ids, one))
        except BaseException as error:
            for stream in streams:
                stream.close()
            if isinstance(error, QueueFullError):
                raise overloaded(str(error)) from error
            if isinstance(error, ValueError):
                raise bad_request(str(error)) from error
            raise
        read = 1 if shared_prompt else samples
        prompt = sum(len(ids) for ids in prompts) // (len(prompts) if shared_prompt else read)
        return EngineAnswer(self._tokenizer, streams, choices, prompt, generate)


class Choice(Protocol):
    """What turns one stream's deltas into events."""

    completion: int
    reasoning: int

    def events(self, deltas: Sequence[Delta]) -> list[Event]: ...


class EngineAnswer:
    """The streams of one call."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        streams: Sequence[AsyncStream],
        choices: Sequence[Choice],
        prompt: int,
        generate: bool,
    ) -> None:
        self._tokenizer, self._streams, self._choices = tokenizer, streams, choices
        self._prompt, self._generate = prompt, generate
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def usage(self) -> Usage:
        """So far. Every sample's tokens count, the prompt once for all samples of it."""
        completion = sum(choice.completion for choice in self._choices) if self._generate else 0
        reasoning = sum(choice.reasoning for choice in self._choices)
        cached = min(self._prompt, max((stream.job.sequence.reused for stream in self._streams), default=0))
        return Usage(self._prompt, completion, reasoning, cached)

    async def __aiter__(self) -> AsyncIterator[Event]:
        if len(self._streams) == 1:
            async for events in self._read(0):
                for event in events:
                    yield event
            return
        ready: asyncio.Queue[list[Event] | BaseException | None] = asyncio.Queue()
        self._tasks = [
            asyncio.create_task(self._copy(number, ready.put_nowait)) for number in range(len(self._streams))
        ]
        running = len(self._tasks)
        while running:
            found = await ready.get()
            if isinstance(found, BaseException):
                raise found
            if found is None:
                running -= 1
                continue
            for event in found:
                yield event

    async def aclose(self) -> None:
        """Cancels what runs."""
        for task in self._tasks:
            task.cancel()
        for stream in self._streams:
            stream.close()

    async def _copy(self, number: int, put: Callable[[list[Event] | BaseException | None], None]) -> None:
        try:
            async for events in self._read(number):
                put(events)
        except Exception as error:  # noqa: BLE001  (it rises in whoever reads the answer)
            put(error)
        else:
            put(None)

    async def _read(self, number: int) -> AsyncIterator[list[Event]]:
        """The events of one choice, those of all deltas that wait at a time."""
        stream, choice = self._streams[number], self._choices[number]
        scored = stream.job.prompt_logprobs is None
        while deltas := await stream.waiting():
            if not scored:
                scored = True
                yield [PromptScores(number, self._prompt_scores(stream))]
            if deltas[-1].finish_reason == "cancelled":
                raise overloaded("the server stops: send the request again")
            events = choice.events(deltas)
            if not self._generate:
                events = [event for event in events if not hasattr(event, "text")]
            yield events

    def _prompt_scores(self, stream: AsyncStream) -> tuple[TokenScore, ...]:
        job = stream.job
        assert job.prompt_logprobs is not None
        most = job.params.prompt_logprobs
        assert most is not None
        scores = []
        for token, chances in zip(job.prompt, job.prompt_logprobs, strict=True):
            data = self._tokenizer.bytes_of(token)
            if chances is None:
                scores.append(TokenScore(token_text(data), data, None, token))
            else:
                scores.append(score(self._tokenizer, token, chances, most, data))
        return tuple(scores)


def _seeded(params: SamplingParams, n: int) -> list[SamplingParams]:
    """Sample i of a prompt has the seed + i, if there is one."""
    if params.seed is None:
        return [params] * n
    return [replace(params, seed=(params.seed + i) % (LARGEST_SEED + 1)) for i in range(n)]


def _too_long(message: str) -> ApiError:
    return bad_request(f"{message}: shorten the prompt or ask for fewer tokens", "messages", "context_length_exceeded")
