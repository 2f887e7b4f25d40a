"""POST /v1/chat/completions."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import orjson
from fastapi import APIRouter, Request, Response

from axk1.server.calls import ChatCall
from axk1.server.echo import in_force, parameters_header
from axk1.server.errors import told
from axk1.server.gateway import Metered
from axk1.server.openai.chat_reply import ChatChunks, ChatWhole, Head
from axk1.server.openai.chat_request import ChatRequest, call_of
from axk1.server.openai.documented import REFUSALS, STREAMED
from axk1.server.openai.strict import JsonRoute
from axk1.server.parts import Parts, origin_of
from axk1.server.sse import DONE, EventStream, frame

__all__ = ["router"]


def router(parts: Parts) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["openai"], route_class=JsonRoute)

    @routes.post("/v1/chat/completions", responses=REFUSALS | STREAMED, response_class=Response)
    async def create_chat_completion(request: Request, body: ChatRequest) -> Response:
        """The assistant's next message, whole or as it is made (`stream`).

        Off when omitted: reasoning is switched on by `chat_template_kwargs.enable_thinking`, `reasoning_effort` or
        `thinking_budget`, and comes back as `reasoning` and `reasoning_content`.
        """
        caller = await parts.member(request)
        call = call_of(body, parts.settings.thinking)
        answer = await parts.gateway.chat(origin_of(request, caller), call)
        headers = parameters_header(in_force(call)) | dict(answer.ticket.headers)
        head = Head(f"chatcmpl-{uuid4().hex}", int(time.time()), call.model)
        if body.stream:
            return EventStream(_frames(answer, _chunks(head, call, body)), headers, answer.aclose)
        whole = await _whole(answer, ChatWhole(head, call.n, call.sampling.logprobs is not None))
        return Response(orjson.dumps(whole), headers=headers, media_type="application/json")

    return routes


def _chunks(head: Head, call: ChatCall, body: ChatRequest) -> ChatChunks:
    options = body.stream_options
    in_all = bool(options and options.continuous_usage_stats)
    usage = bool(options and options.include_usage) or in_all
    return ChatChunks(head, call.n, call.sampling.logprobs is not None, usage, in_all)


async def _whole(answer: Metered, whole: ChatWhole) -> dict[str, Any]:
    async with answer:
        async for event in answer:
            whole.add(event)
    return whole.reply(answer.usage)


async def _frames(answer: Metered, chunks: ChatChunks) -> AsyncIterator[bytes]:
    async with answer:
        try:
            for made in chunks.begin():
                yield made
            async for event in answer:
                for made in chunks.event(event, answer.usage):
                    yield made
            for made in chunks.end(answer.usage):
                yield made
            yield DONE
        except Exception as error:  # noqa: BLE001  (the status is sent already: the stream has to say it)
            yield frame(told(error, answer.ticket.id).openai(), "error")
