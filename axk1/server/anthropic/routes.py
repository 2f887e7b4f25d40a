"""Anthropic's /v1/messages and /v1/messages/count_tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

from fastapi import APIRouter, Request, Response

from axk1.server.anthropic.documented import COUNT, CREATE, REFUSALS, STREAMED
from axk1.server.anthropic.form import answered, json_reply, refused
from axk1.server.anthropic.reply import QUIET, Reply
from axk1.server.anthropic.request import call_of, parsed, streamed
from axk1.server.calls import ChatCall, TokenizeCall
from axk1.server.echo import in_force, parameters_header
from axk1.server.errors import ApiError, bad_request, not_found, told
from axk1.server.gateway import Metered
from axk1.server.parts import Parts, origin_of
from axk1.server.sse import EventStream, frame

__all__ = ["router"]

_REFUSED = ("anthropic-workspace-id", "anthropic-user-profile-id")
_OTHERS = ["GET", "PUT", "PATCH", "DELETE"]


def router(parts: Parts) -> APIRouter:
    """The routes; their errors have Anthropic's form."""
    routes = APIRouter(prefix="/v1/messages", tags=["anthropic"])

    @routes.post("", responses=REFUSALS | STREAMED, response_class=Response, openapi_extra=CREATE)
    async def create_message(request: Request) -> Response:
        """A message, whole or as events."""
        return await answered(request, lambda: _create(parts, request))

    @routes.post("/count_tokens", responses=REFUSALS, response_class=Response, openapi_extra=COUNT)
    async def count_tokens(request: Request) -> Response:
        """How many tokens the model would read."""
        return await answered(request, lambda: _count(parts, request))

    @routes.api_route("", methods=_OTHERS, include_in_schema=False)
    @routes.api_route("/count_tokens", methods=_OTHERS, include_in_schema=False)
    async def refuse_method(request: Request) -> Response:
        """405 in Anthropic's form."""
        error = ApiError(405, f"{request.method} is not offered here: use POST", headers={"Allow": "POST"})
        return refused(error, request)

    @routes.api_route("/{rest:path}", methods=["POST", *_OTHERS], include_in_schema=False)
    async def refuse_path(request: Request) -> Response:
        """404 in Anthropic's form."""
        return refused(not_found(f"{request.method} {request.url.path} is not offered by this server"), request)

    return routes


def _check_headers(request: Request) -> None:
    """Who pays is told by the key alone."""
    for name in _REFUSED:
        if name in request.headers:
            raise bad_request(f"the header {name} is not offered by this server: leave it out", name)


async def _create(parts: Parts, request: Request) -> Response:
    caller = await parts.member(request)
    _check_headers(request)
    body = parsed(await request.body(), parts.settings.limits.json_depth)
    call, stream = call_of(body, parts.settings.thinking), streamed(body)
    answer = await parts.gateway.chat(origin_of(request, caller), call)
    reply = Reply(f"msg_{uuid4().hex}", call.model)
    headers = parameters_header(in_force(call)) | dict(answer.ticket.headers)
    if stream:
        return EventStream(_frames(answer, reply, request.state.request_id), headers, answer.aclose, QUIET)
    return json_reply(await _whole(answer, reply), headers=headers)


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
        except Exception as error:  # noqa: BLE001  (the status is sent already: the stream has to say it)
            yield frame(told(error, request_id).anthropic(request_id), "error")


async def _count(parts: Parts, request: Request) -> Response:
    await parts.member(request)
    _check_headers(request)
    call: ChatCall = call_of(
        parsed(await request.body(), parts.settings.limits.json_depth), parts.settings.thinking, counted=True
    )
    found = await parts.gateway.tokenize(TokenizeCall(call.model, chat=call))
    return json_reply({"input_tokens": len(found.ids)})
