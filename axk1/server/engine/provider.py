"""Our engine behind the gateway: calls in, answers out, many at a time in one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from axk1.chat.format import ChatFormat, ChatPrompt
from axk1.chat.messages import Tool
from axk1.chat.sampling import LARGEST_SEED, SamplingParams
from axk1.checkpoint import CheckpointFolder
from axk1.engine.engine import Engine, Limits
from axk1.engine.loop import EngineClosedError, QueueFullError
from axk1.engine.stream import AsyncStream
from axk1.server.calls import (
    Answer,
    ChatCall,
    EmbedCall,
    Embedded,
    ModelCard,
    TextCall,
    TokenizeCall,
    Tokens,
    ToolChoice,
    Usage,
)
from axk1.server.engine.answer import Choice, EngineAnswer
from axk1.server.engine.choice import ChatChoice, TextChoice, UnchangedChoice
from axk1.server.engine.scores import token_text
from axk1.server.engine.tool_grammar import with_calls
from axk1.server.errors import bad_request, overloaded
from axk1.server.tools import offered
from axk1.tokenizer.special import END_THINK
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["EngineProvider"]

_AT_ONCE = 256  # sequences of a step
_WHOLE_CONTEXTS = 64  # that fit into the cache, if memory allows
_LONG = 4000  # characters: a longer text is read by another thread, while the event loop goes on


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
        self._check_room(len(prompt.ids), params.max_tokens, "messages")
        with_tools = with_calls(params, tools, call.tool_choice, self._tokenizer)
        await self._check_structure(call.tool_choice, tools, params, with_tools)
        own_ends = set(self.engine.config.special_token_ids) - set(call.sampling.stop_token_ids)
        names = {tool.name for tool in tools}
        choices = [
            ChatChoice(number, self._tokenizer, prompt.thinking, params.logprobs, names, own_ends)
            for number in range(call.n)
        ]
        return self._answer([prompt.ids], _seeded(with_tools, call.n), choices)

    async def complete(self, call: TextCall) -> Answer:
        """As `chat`."""
        prompts = [await self._ids(prompt) for prompt in call.prompts]
        params = call.sampling if call.generate else replace(call.sampling, max_tokens=1)
        for ids in prompts:
            self._check_room(len(ids), params.max_tokens if call.generate else None, "prompt")
        await self._check(params)
        count = len(prompts) * call.n
        if call.generate:
            choices: list[Choice] = [TextChoice(number, self._tokenizer, params.logprobs) for number in range(count)]
        else:
            choices = [UnchangedChoice(number) for number in range(count)]
        return self._answer(prompts, _seeded(params, call.n), choices)

    async def embed(self, call: EmbedCall) -> Embedded:
        """Mean of the hidden states, of length 1."""
        prompts = [await self._ids(prompt) for prompt in call.inputs]
        for ids in prompts:
            self._check_room(len(ids), None, "input")
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
        arguments = (call.messages, tools, thinking, call.template_kwargs)
        try:
            if tools or sum(len(one.content) for one in call.messages) > _LONG:
                return await asyncio.to_thread(self._format.prompt, *arguments)
            return self._format.prompt(*arguments)
        except ValueError as error:
            raise bad_request(str(error), "messages") from error

    def _chat_params(self, call: ChatCall, prompt: ChatPrompt) -> SamplingParams:
        """A turn also ends where a document would; a budget holds where the reasoning has begun."""
        budget = call.thinking.budget if prompt.thinking else None
        own = () if call.sampling.ignore_eos else self.engine.config.special_token_ids
        ends = (*call.sampling.stop_token_ids, *own)
        return replace(call.sampling, thinking=prompt.thinking, thinking_budget=budget or None, stop_token_ids=ends)

    async def _check_structure(
        self, choice: ToolChoice, tools: Sequence[Tool], plain: SamplingParams, with_tools: SamplingParams
    ) -> None:
        """Names the tool whose parameters cannot be followed."""
        await self._check(plain)
        try:
            await self._follow(with_tools)
        except ValueError:
            for tool in tools:
                try:
                    await self._follow(with_calls(plain, [tool], choice, self._tokenizer))
                except ValueError as error:
                    message = f"the parameters of the tool {tool.name!r} cannot be followed: {error}"
                    raise bad_request(message, "tools") from error
            raise

    async def _check(self, params: SamplingParams) -> None:
        try:
            await self._follow(params)
        except ValueError as error:
            raise bad_request(str(error), _field(params)) from error

    async def _follow(self, params: SamplingParams) -> None:
        """A grammar is made ready by another thread: a large one takes a while."""
        if params.structured or (params.calls is not None and params.calls.grammar is not None):
            await asyncio.to_thread(self.engine.check, params)
        else:
            self.engine.check(params)

    def _check_room(self, prompt: int, asked: int | None, field: str) -> None:
        """Nothing is cut off silently: what does not fit is refused with both numbers."""
        context = self.engine.context
        if prompt == 0:
            raise bad_request("the prompt is empty: it needs at least one token", field)
        if asked is None and prompt >= context:
            found = f"the prompt has {prompt} tokens, with room for one more {prompt + 1}"
        elif asked is not None and prompt + asked > context:
            found = f"the prompt has {prompt} tokens and max_tokens is {asked}, together {prompt + asked}"
        else:
            return
        message = f"{found}: the model's context is {context} tokens; shorten the prompt or ask for fewer tokens"
        raise bad_request(message, field, "context_length_exceeded")

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
        try:
            return tuple(self.engine.embed([ids])[0].tolist())
        except (QueueFullError, EngineClosedError) as error:
            raise overloaded(str(error)) from error

    def _answer(
        self, prompts: Sequence[list[int]], samples: Sequence[SamplingParams], choices: Sequence[Choice]
    ) -> EngineAnswer:
        """Every prompt with every sample's parameters, all at once."""
        streams: list[AsyncStream] = []
        try:
            for ids in prompts:
                streams += [self.engine.astream(ids, one) for one in samples]
        except (QueueFullError, EngineClosedError) as error:
            for stream in streams:
                stream.close()
            raise overloaded(str(error)) from error
        return EngineAnswer(self._tokenizer, streams, choices, len(samples))


def _field(params: SamplingParams) -> str | None:
    """What the caller gave that may not go with the model."""
    given = {"response_format": params.structured, "logit_bias": params.logit_bias, "stop": params.stop}
    return next((name for name, value in given.items() if value), None)


def _seeded(params: SamplingParams, n: int) -> list[SamplingParams]:
    """Sample i of a prompt has the seed + i, if there is one."""
    if params.seed is None:
        return [params] * n
    return [replace(params, seed=(params.seed + i) % (LARGEST_SEED + 1)) for i in range(n)]
