"""OpenAI's /v1/responses: made, kept, read again and removed."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import orjson
from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from axk1.server.calls import ChatCall, ContentPart, Event, Finished, ReasoningPart, ToolArguments, ToolCallBegin, Usage
from axk1.server.echo import in_force, parameters_header
from axk1.server.errors import bad_request, not_found
from axk1.server.fields import flag, mapping, text, wrong
from axk1.server.parts import Parts, origin_of
from axk1.server.responses.request import call_of, items_of
from axk1.server.store.responses import ResponseRow

__all__ = ["router"]


def router(parts: Parts) -> APIRouter:
    """The routes; every answer belongs to the project that asked."""
    routes = APIRouter(prefix="/v1/responses", tags=["responses"])

    @routes.post("")
    async def create_response(request: Request) -> Response:
        """An answer, kept unless `store` is false."""
        return await _create(parts, request)

    @routes.get("/{response_id}")
    async def load_response(request: Request, response_id: str) -> Response:
        """A kept answer."""
        row = await _find(parts, (await parts.member(request)).project, response_id)
        return Response(row.response, media_type="application/json")

    @routes.delete("/{response_id}")
    async def delete_response(request: Request, response_id: str) -> dict[str, Any]:
        """Removes it; later answers of its chain keep what they read."""
        row = await _find(parts, (await parts.member(request)).project, response_id)
        async with AsyncSession(parts.database) as session, session.begin():
            await session.delete(row)
        return {"id": response_id, "object": "response", "deleted": True}

    return routes


async def _find(parts: Parts, project: str, response_id: str) -> ResponseRow:
    async with AsyncSession(parts.database) as session:
        row = await session.get(ResponseRow, response_id)
    if row is None or row.project != project:
        raise not_found(f"no response has the id {response_id!r}", "id")
    return row


async def _create(parts: Parts, request: Request) -> Response:
    caller = await parts.member(request)
    try:
        raw = mapping(orjson.loads(await request.body()), "body")
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is not JSON: {error}") from error
    body = {name: value for name, value in raw.items() if value is not None}
    if flag(body.get("stream", False), "stream"):
        raise wrong("stream", "is not offered here yet: leave it out, or stream /v1/messages")
    before: list[dict[str, Any]] = []
    if "previous_response_id" in body:
        name = text(body["previous_response_id"], "previous_response_id")
        before = orjson.loads((await _find(parts, caller.project, name)).items)
    items = [*before, *items_of(body.get("input"))]
    call = call_of(body, items, parts.settings.thinking)
    kept = flag(body.get("store", True), "store")
    made = float(int(time.time()))
    async with await parts.gateway.chat(origin_of(request, caller), call) as answer:
        events = [event async for event in answer]
    whole = _response(body, call, events, answer.usage, made)
    text_of = orjson.dumps(whole).decode()
    if kept:
        row = ResponseRow(id=whole["id"], project=caller.project, created_at=made, response=text_of)
        row.items = orjson.dumps([*items, *whole["output"]]).decode()
        async with AsyncSession(parts.database) as session, session.begin():
            session.add(row)
    return Response(text_of, headers=parameters_header(in_force(call)), media_type="application/json")


def _output(events: list[Event]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for event in events:
        kind = found[-1]["type"] if found else ""
        if isinstance(event, ReasoningPart):
            if kind != "reasoning":
                thought = {"type": "reasoning_text", "text": ""}
                found.append({"id": f"rs_{uuid4().hex}", "type": "reasoning", "summary": [], "content": [thought]})
            found[-1]["content"][0]["text"] += event.text
        elif isinstance(event, ContentPart) and event.text:
            if kind != "message":
                part: dict[str, Any] = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
                head = {"id": f"msg_{uuid4().hex}", "type": "message", "role": "assistant", "status": "completed"}
                found.append(head | {"content": [part]})
            found[-1]["content"][0]["text"] += event.text
        elif isinstance(event, ToolCallBegin):
            head = {"id": f"fc_{uuid4().hex}", "type": "function_call", "status": "completed"}
            found.append(head | {"call_id": event.id, "name": event.name, "arguments": ""})
        elif isinstance(event, ToolArguments):
            found[-1]["arguments"] += event.text
    return found


def _response(body: dict[str, Any], call: ChatCall, events: list[Event], usage: Usage, made: float) -> dict[str, Any]:
    reasons = [event.reason for event in events if isinstance(event, Finished)]
    cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(reasons[-1])
    tools = [{"type": "function", "strict": False, **vars(tool)} for tool in call.tools]
    return {
        "id": f"resp_{uuid4().hex}",
        "object": "response",
        "created_at": made,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": cut} if cut else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": call.sampling.max_tokens,
        "metadata": body.get("metadata", {}),
        "model": call.model,
        "output": _output(events),
        "parallel_tool_calls": call.tool_choice.parallel,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": body.get("reasoning", {}).get("effort", "none"), "summary": None},
        "store": body.get("store", True),
        "temperature": call.sampling.temperature,
        "text": {"format": body.get("text", {}).get("format") or {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": tools,
        "top_p": call.sampling.top_p,
        "truncation": "disabled",
        "usage": {
            "input_tokens": usage.prompt,
            "input_tokens_details": {"cached_tokens": usage.cached},
            "output_tokens": usage.completion,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning},
            "total_tokens": usage.prompt + usage.completion,
        },
    }
