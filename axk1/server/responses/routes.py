"""OpenAI's /v1/responses: made whole or as events, kept, read again and removed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from axk1.server.access import Caller
from axk1.server.calls import ChatCall, TokenizeCall
from axk1.server.echo import in_force, parameters_header
from axk1.server.errors import ApiError, bad_request, told
from axk1.server.fields import entries, flag, mapping, text, without_nulls
from axk1.server.gateway import Metered
from axk1.server.openai.documented import REFUSALS, STREAMED
from axk1.server.openai.strict import JsonRoute
from axk1.server.parts import Parts, origin_of
from axk1.server.responses import kept
from axk1.server.responses.documented import COUNT, CREATE
from axk1.server.responses.items import item_of, reference_of
from axk1.server.responses.listing import page
from axk1.server.responses.names import new_answer
from axk1.server.responses.reply import Head, Reply
from axk1.server.responses.request import COUNTED, CREATED, call_of
from axk1.server.sse import EventStream

__all__ = ["router"]

_PARAMS = {"messages": "input", "response_format": "text.format"}  # the names that these have here


@dataclass(frozen=True)
class _Asked:
    """A request that is read: `items` is the whole conversation."""

    answer_id: str
    caller: Caller
    body: dict[str, Any]
    items: list[dict[str, Any]]
    call: ChatCall


def router(parts: Parts) -> APIRouter:
    """The routes; every answer belongs to the project that asked."""
    routes = APIRouter(prefix="/v1/responses", tags=["responses"], route_class=JsonRoute)

    @routes.post("", responses=REFUSALS | STREAMED, response_class=Response, openapi_extra=CREATE)
    async def create_response(request: Request) -> Response:
        """An answer, whole or as events (`stream`), kept unless `store` is false."""
        return await _create(parts, request)

    @routes.post("/input_tokens", responses=REFUSALS, openapi_extra=COUNT)
    async def count_input_tokens(request: Request) -> dict[str, Any]:
        """How many tokens the model would read."""
        asked = await _read(parts, request, COUNTED)
        found = await parts.gateway.tokenize(TokenizeCall(asked.call.model, chat=asked.call))
        return {"object": "response.input_tokens", "input_tokens": len(found.ids)}

    @routes.get("/{response_id}", responses=REFUSALS, response_class=Response)
    async def load_response(request: Request, response_id: str, stream: bool = False) -> Response:
        """A kept answer."""
        if stream:
            raise bad_request("stream: a kept answer is complete, read it whole", "stream")
        row = await kept.find(parts.database, (await parts.member(request)).project, response_id)
        return Response(row.response, media_type="application/json")

    @routes.get("/{response_id}/input_items", responses=REFUSALS)
    async def list_input_items(
        request: Request, response_id: str, limit: int = 20, order: str = "desc", after: str | None = None
    ) -> dict[str, Any]:
        """What the model read before it gave a kept answer, the whole chain."""
        row = await kept.find(parts.database, (await parts.member(request)).project, response_id)
        items, output = orjson.loads(row.items), orjson.loads(row.response)["output"]
        return page(items[: len(items) - len(output)], limit, order, after)

    @routes.delete("/{response_id}", responses=REFUSALS)
    async def delete_response(request: Request, response_id: str) -> dict[str, Any]:
        """Removes it; later answers of its chain keep what they read."""
        row = await kept.find(parts.database, (await parts.member(request)).project, response_id)
        await kept.remove(parts.database, row)
        return {"id": response_id, "object": "response", "deleted": True}

    return routes


async def _read(parts: Parts, request: Request, names: Sequence[str]) -> _Asked:
    caller = await parts.member(request)
    project = caller.project
    body = without_nulls(mapping(await request.json(), "body"))
    answer_id = new_answer()
    items: list[dict[str, Any]] = []
    if "previous_response_id" in body:
        previous = text(body["previous_response_id"], "previous_response_id")
        items = await kept.before(parts.database, project, previous)
    given = body.get("input")
    values = [{"role": "user", "content": given}] if isinstance(given, str) else entries(given, "input")
    if not values:
        raise bad_request("input: must hold at least one item", "input")
    references = [reference_of(value, f"input.{place}") for place, value in enumerate(values)]
    known = await kept.referred(parts.database, project, [one for one in references if one is not None])
    for place, (value, reference) in enumerate(zip(values, references, strict=True)):
        read = item_of(value, f"input.{place}", answer_id, len(items)) if reference is None else known[reference]
        items.append(read)
    return _Asked(answer_id, caller, body, items, call_of(body, items, parts.settings.thinking, names))


async def _create(parts: Parts, request: Request) -> Response:
    asked = await _read(parts, request, CREATED)
    stream = flag(asked.body.get("stream", False), "stream")
    try:
        answer = await parts.gateway.chat(origin_of(request, asked.caller), asked.call)
    except ApiError as error:
        raise replace(error, param=_PARAMS.get(error.param or "", error.param)) from error
    reply = Reply(Head(asked.answer_id, int(time.time()), asked.body, asked.call, len(asked.items)))
    headers = parameters_header(in_force(asked.call)) | dict(answer.ticket.headers)
    if stream:
        frames = _frames(parts, asked, answer, reply, request.state.request_id)
        return EventStream(frames, headers, answer.aclose)
    whole = await _whole(parts, asked, answer, reply)
    return Response(orjson.dumps(whole), headers=headers, media_type="application/json")


async def _whole(parts: Parts, asked: _Asked, answer: Metered, reply: Reply) -> dict[str, Any]:
    async with answer:
        async for event in answer:
            for _ in reply.add(event):
                pass
    return await kept.keep(
        parts.database, asked.caller.project, reply.whole(answer.usage, int(time.time())), asked.items
    )


async def _frames(parts: Parts, asked: _Asked, answer: Metered, reply: Reply, request_id: str) -> AsyncIterator[bytes]:
    async with answer:
        try:
            yield reply.begin()
            async for event in answer:
                for made in reply.add(event):
                    yield made
            whole = reply.whole(answer.usage, int(time.time()))
            yield reply.end(await kept.keep(parts.database, asked.caller.project, whole, asked.items))
        except Exception as error:  # noqa: BLE001  (the status is sent already: the stream has to say it)
            yield reply.fail(told(error, request_id), answer.usage)
