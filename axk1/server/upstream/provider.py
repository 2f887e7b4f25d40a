"""One OpenAI-compatible server as a Provider: vLLM, SGLang, llama.cpp, our own, the hosted A.X K1 API."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from axk1.server.calls import (
    Answer,
    ChatCall,
    EmbedCall,
    Embedded,
    ModelCard,
    TextCall,
    TokenizeCall,
    Tokens,
    Usage,
)
from axk1.server.errors import ApiError, bad_request, upstream_failed
from axk1.server.settings import UpstreamSettings
from axk1.server.upstream.answer import StreamedAnswer, WholeAnswer
from axk1.server.upstream.client import Client
from axk1.server.upstream.dialect import Dialect, dialect, kind_of_owner
from axk1.server.upstream.meter import Meter
from axk1.server.upstream.reply import ReplyReader
from axk1.server.upstream.request import chat_request, messages_of, template_of, text_request, tools_of

__all__ = ["UpstreamProvider"]

_log = logging.getLogger(__name__)
_CHECK_SECONDS = 10.0  # for /v1/models


class UpstreamProvider:
    """Made by `of`. What the upstream is, it says itself: at `look`, at `check`, or when the first call comes."""

    def __init__(self, settings: UpstreamSettings, key: str) -> None:
        self.settings, self._key = settings, key
        self._client = Client(settings, key)
        kind = dialect(settings.kind) if settings.kind else None
        self._dialect = None if kind is None else kind.changed(settings.allow, settings.deny)
        dialect("openai").changed(settings.allow, settings.deny)  # names are checked also where the kind comes later
        self._model = settings.model or settings.name
        self.card = self._card(self._dialect or dialect("openai"), int(time.time()), settings.context or None)

    @classmethod
    def of(cls, settings: UpstreamSettings, environment: Mapping[str, str]) -> Self:
        """The key is in `environment` under `settings.key_variable`. ValueError for settings that make no sense."""
        key = environment.get(settings.key_variable, "") if settings.key_variable else ""
        if settings.key_variable and not key:
            raise ValueError(f"the environment variable {settings.key_variable} holds no key for {settings.name!r}")
        return cls(settings, key)

    async def look(self) -> None:
        """Asks once what the upstream is, by a connection of its own: the caller's event loop may end. An upstream that
        is away, for it may still be loading its model, is asked again before the first call."""
        client = Client(self.settings, self._key)
        try:
            await self._check(client)
        except ApiError as error:
            said = "; ".join([error.message, *getattr(error, "__notes__", ())])
            _log.warning("%s cannot be used yet: %s", self.settings.url, said)
        finally:
            await client.close()

    @property
    def known(self) -> bool:
        """Whether it is known what the upstream can do."""
        return self._dialect is not None

    async def check(self) -> None:
        """Asks what the upstream is and whether it is there. ApiError if it is not."""
        await self._check(self._client)

    async def chat(self, call: ChatCall) -> Answer:
        """ApiError when the upstream refuses, cannot be reached, or cannot do what is asked."""
        known = await self._known()
        body = chat_request(call, known, self._model, self.settings.name)
        return await self._answer("/chat/completions", call, body)

    async def complete(self, call: TextCall) -> Answer:
        """As `chat`."""
        known = await self._known()
        body = text_request(call, known, self._model, self.settings.name)
        return await self._answer("/completions", call, body)

    async def embed(self, call: EmbedCall) -> Embedded:
        """Vectors, made length 1 where the upstream leaves them as they are."""
        self._need(await self._known(), "embeddings", "input", "embeddings")
        vectors: dict[int, tuple[float, ...]] = {}
        used = Usage()
        for kind in (str, tuple):  # a request holds texts or lists of ids, not both
            places = [place for place, one in enumerate(call.inputs) if isinstance(one, kind)]
            made = await self._embedded([call.inputs[place] for place in places]) if places else Embedded((), Usage())
            vectors |= zip(places, made.vectors, strict=True)
            used = used.plus(made.usage)
        return Embedded(tuple(vectors[place] for place in range(len(call.inputs))), used)

    async def tokenize(self, call: TokenizeCall) -> Tokens:
        """By /tokenize and /detokenize beside /v1."""
        known = await self._known()
        self._need(known, "tokenize", "model", "tokens")
        if call.ids is not None:
            return await self._tokens(call.ids)
        if call.chat is not None:
            tools = tools_of(call.chat.tools, call.chat.tool_choice)
            asked: dict[str, Any] = {"messages": messages_of(call.chat.messages, known)} | (
                {"tools": tools} if tools else {}
            )
            asked |= template_of(call.chat, known, self.settings.name)
        else:
            assert call.text is not None
            asked = {"prompt": call.text}
        found = await self._client.ask("POST", "//tokenize", asked | {"model": self._model, "return_token_strs": True})
        ids = self._ids(found.get("tokens"))
        text = call.text if call.text is not None else (await self._tokens(ids)).text
        pieces = found.get("token_strs")
        if not isinstance(pieces, list) or len(pieces) != len(ids):
            raise self._strange()
        return Tokens(ids, tuple(map(str, pieces)), text)

    async def close(self) -> None:
        """Ends what runs."""
        await self._client.close()

    async def _check(self, client: Client) -> None:
        if self._dialect is not None and not self._dialect.listed:
            return
        found = await client.ask("GET", "/models", seconds=_CHECK_SECONDS)
        models = found.get("data")
        listed = [one for one in models if isinstance(one, dict)] if isinstance(models, list) else []
        entry = next((one for one in listed if one.get("id") == self._model), None)
        if entry is None:
            error = upstream_failed(f"the upstream {self.settings.name!r} has no model {self._model!r}")
            error.add_note("it has: " + ", ".join(str(one.get("id")) for one in listed))  # for the log, not for clients
            raise error
        if self._dialect is None:
            kind = dialect(kind_of_owner(entry.get("owned_by")))
            self._dialect = kind.changed(self.settings.allow, self.settings.deny)
        created = entry.get("created")
        self.card = self._card(
            self._dialect, created if isinstance(created, int) else self.card.created, self._context(entry)
        )

    async def _known(self) -> Dialect:
        if self._dialect is None:
            await self.check()
        assert self._dialect is not None
        return self._dialect

    async def _embedded(self, inputs: Sequence[str | tuple[int, ...]]) -> Embedded:
        found = await self._client.ask("POST", "/embeddings", {"model": self._model, "input": inputs})
        try:
            ordered = sorted(found["data"], key=lambda one: one["index"])
            vectors = tuple(_of_length_one(one["embedding"]) for one in ordered)
            used = int((found.get("usage") or {}).get("prompt_tokens") or 0)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._strange() from error
        if len(vectors) != len(inputs):
            raise self._strange()
        return Embedded(vectors, Usage(prompt=used))

    async def _answer(self, path: str, call: ChatCall | TextCall, body: dict[str, Any]) -> Answer:
        prompts: Sequence[Tokens] = ()
        mixed = isinstance(call, TextCall) and len({type(one) for one in call.prompts}) > 1
        if mixed or call.sampling.prompt_logprobs is not None:
            prompts = await self._prompts(call)
            if isinstance(call, TextCall):
                body["prompt"] = [list(one.ids) for one in prompts]
        data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        meter = Meter(len(data))
        reader = ReplyReader(call, meter, self.settings.name, prompts)
        if not body.get("stream"):
            found = await self._client.ask("POST", path, body)
            events = reader.read(found)
            if not reader.complete:
                raise self._strange()
            return WholeAnswer(events, _without_text(call, meter.usage))
        response = await self._client.stream(path, data)
        return StreamedAnswer(self._client, response, reader, meter)

    async def _prompts(self, call: ChatCall | TextCall) -> list[Tokens]:
        """The tokens, without which nobody can tell which of the likeliest at a place is the prompt's own, and by which
        texts and ids can stand in one request."""
        known = await self._known()
        if call.sampling.prompt_logprobs is not None:
            self._need(known, "prompt_logprobs", "prompt_logprobs", "log-probabilities of the prompt")
        self._need(known, "tokenize", "prompt", "tokens of the prompt")
        if isinstance(call, ChatCall):
            return [await self.tokenize(TokenizeCall(call.model, chat=call))]
        return list(await asyncio.gather(*(self.tokenize(_of_prompt(call.model, one)) for one in call.prompts)))

    async def _tokens(self, ids: Sequence[int]) -> Tokens:
        """The text of ids, and of each by itself."""
        asked = ({"model": self._model, "tokens": list(one)} for one in (ids, *((id_,) for id_ in ids)))
        found = await asyncio.gather(*(self._client.ask("POST", "//detokenize", one) for one in asked))
        texts = [str(one.get("prompt", "")) for one in found]
        return Tokens(tuple(ids), tuple(texts[1:]), texts[0])

    def _ids(self, found: object) -> tuple[int, ...]:
        if not isinstance(found, list) or not all(isinstance(one, int) for one in found):
            raise self._strange()
        return tuple(found)

    def _need(self, known: Dialect, ability: Any, param: str, what: str) -> None:
        if not known.can(ability):
            raise bad_request(f"the model {self.settings.name!r} cannot be asked for {what}", param)

    def _context(self, entry: Mapping[str, Any]) -> int | None:
        meta = entry.get("meta")
        found = entry.get("max_model_len") or (meta.get("n_ctx_train") if isinstance(meta, dict) else None)
        return self.settings.context or (found if isinstance(found, int) else None)

    def _card(self, known: Dialect, created: int, context: int | None) -> ModelCard:
        return ModelCard(
            self.settings.name,
            created,
            "upstream",
            context,
            thinking=known.can("thinking"),
            tools=known.can("tools"),
            logprobs=known.can("logprobs"),
            embeddings=known.can("embeddings"),
            tokenizer=known.can("tokenize"),
        )

    def _strange(self) -> ApiError:
        return upstream_failed(f"the upstream {self.settings.name!r} sent a reply that is not of the OpenAI API")


def _of_prompt(model: str, prompt: str | tuple[int, ...]) -> TokenizeCall:
    return TokenizeCall(model, text=prompt) if isinstance(prompt, str) else TokenizeCall(model, ids=prompt)


def _without_text(call: ChatCall | TextCall, usage: Usage) -> Usage:
    """A call that generates nothing pays nothing for the token that the upstream had to make."""
    return usage if isinstance(call, ChatCall) or call.generate else replace(usage, completion=0)


def _of_length_one(vector: Sequence[float]) -> tuple[float, ...]:
    length = math.sqrt(sum(one * one for one in vector))
    if not math.isfinite(length) or length == 0:
        raise ValueError("a vector without a length")
    return tuple(one / length for one in vector)
