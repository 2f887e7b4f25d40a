"""POST /v1/chat/completions."""

from __future__ import annotations

import time
from uuid import uuid4

import orjson
from fastapi import APIRouter, Request, Response

from axk1.server.calls import ChatCall
from axk1.server.echo import in_force, parameters_header
from axk1.server.openai.chat_reply import ChatChunks, ChatWhole, Head
from axk1.server.openai.chat_request import ChatRequest, call_of
from axk1.server.openai.documented import REFUSALS, STREAMED
from axk1.server.openai.strict import JsonRoute
from axk1.server.openai.telling import frames, whole_reply
from axk1.server.parts import Parts, origin_of
from axk1.server.sse import EventStream

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
            return EventStream(frames(answer, _chunks(head, call, body)), headers, answer.aclose)
        whole = await whole_reply(answer, ChatWhole(head, call.n, call.sampling.logprobs is not None))
        return Response(orjson.dumps(whole), headers=headers, media_type="application/json")

    return routes


def _chunks(head: Head, call: ChatCall, body: ChatRequest) -> ChatChunks:
    options = body.stream_options
    in_all = bool(options and options.continuous_usage_stats)
    usage = bool(options and options.include_usage) or in_all
    return ChatChunks(head, call.n, call.sampling.logprobs is not None, usage, in_all)
