"""Anthropic's /v1/messages and /v1/messages/count_tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import orjson
from fastapi import APIRouter, Request, Response

from axk1.server.anthropic.reply import Reply
from axk1.server.anthropic.request import call_of, parsed, streamed
from axk1.server.calls import ChatCall, TokenizeCall
from axk1.server.echo import in_force, parameters_header
from axk1.server.errors import ApiError
from axk1.server.gateway import Metered
from axk1.server.parts import Parts, origin_of
from axk1.server.sse import EventStream, frame

__all__ = ["router"]

_OTHERS = ["GET", "PUT", "PATCH", "DELETE"]


def router(parts: Parts) -> APIRouter:
    """The routes; their errors have Anthropic's form."""
    routes = APIRouter(prefix="/v1/messages", tags=["anthropic"])

    @routes.post("")
    async def create_message(request: Request) -> Response:
        """A message, whole or as events."""
        return await _told(request, lambda: _create(parts, request))

    @routes.post("/count_tokens")
    async def count_tokens(request: Request) -> Response:
        """How many tokens the model would read."""
        return await _told(request, lambda: _count(parts, request))

    @routes.api_route("", methods=_OTHERS, include_in_schema=False)
    @routes.api_route("/count_tokens", methods=_OTHERS, include_in_schema=False)
    async def refuse_method(request: Request) -> Response:
        error = ApiError(405, f"{request.method} is not offered here: use POST", headers={"Allow": "POST"})
        return _refused(error, request)

    return routes


async def _told(request: Request, make: Callable[[], Awaitable[Response]]) -> Response:
    try:
        response = await make()
    except ApiError as error:
        response = _refused(error, request)
    response.headers["request-id"] = request.state.request_id
    return response


def _refused(error: ApiError, request: Request) -> Response:
    body = error.anthropic(request.state.request_id)
    return _json(body, error.status, dict(error.headers) | {"request-id": request.state.request_id})


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")


async def _create(parts: Parts, request: Request) -> Response:
    caller = await parts.member(request)
    body = parsed(await request.body())
    call, stream = call_of(body, parts.settings.thinking), streamed(body)
    answer = await parts.gateway.chat(origin_of(request, caller), call)
    reply = Reply(f"msg_{uuid4().hex}", call.model)
    headers = parameters_header(in_force(call))
    if stream:
        return EventStream(_frames(answer, reply, request.state.request_id), headers)
    return _json(await _whole(answer, reply), headers=headers)


async def _whole(answer: Metered, reply: Reply) -> dict[str, object]:
    async with answer:
        async for event in answer:
            for _ in reply.add(event):
                pass
    return reply.message(answer.usage)


async def _frames(answer: Metered, reply: Reply, request_id: str) -> AsyncIterator[bytes]:
    async with answer:
        try:
            yield reply.begin(answer.usage)
            async for event in answer:
                for made in reply.add(event):
                    yield made
            yield reply.end(answer.usage)
        except ApiError as error:
            yield frame(error.anthropic(request_id), "error")


async def _count(parts: Parts, request: Request) -> Response:
    await parts.member(request)
    call: ChatCall = call_of(parsed(await request.body()), parts.settings.thinking, counted=True)
    found = await parts.gateway.tokenize(TokenizeCall(call.model, chat=call))
    return _json({"input_tokens": len(found.ids)})
