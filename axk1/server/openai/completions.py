"""POST /v1/completions."""

from __future__ import annotations

import time
from uuid import uuid4

import orjson
from fastapi import APIRouter, Request, Response

from axk1.server.calls import TextCall, TokenizeCall
from axk1.server.echo import parameters_header, text_in_force
from axk1.server.gateway import Gateway
from axk1.server.openai.chat_reply import Head
from axk1.server.openai.completions_reply import TextChunks, TextWhole, Told
from axk1.server.openai.completions_request import CompletionRequest, call_of
from axk1.server.openai.documented import REFUSALS, STREAMED
from axk1.server.openai.sampling import StreamOptions
from axk1.server.openai.strict import JsonRoute
from axk1.server.openai.telling import frames, whole_reply
from axk1.server.parts import Parts, origin_of
from axk1.server.sse import EventStream

__all__ = ["router"]


def router(parts: Parts) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["openai"], route_class=JsonRoute)

    @routes.post("/v1/completions", responses=REFUSALS | STREAMED, response_class=Response)
    async def create_completion(request: Request, body: CompletionRequest) -> Response:
        """Texts or token ids, continued; with `echo` and `logprobs` scored as well."""
        caller = await parts.member(request)
        call = call_of(body)
        echo = await _echo(parts.gateway, call, bool(body.echo))
        answer = await parts.gateway.complete(origin_of(request, caller), call)
        headers = parameters_header(text_in_force(call)) | dict(answer.ticket.headers)
        head = Head(f"cmpl-{uuid4().hex}", int(time.time()), call.model)
        if body.stream:
            chunks = TextChunks(head, echo, bool(body.echo), body.logprobs, _told(body))
            return EventStream(frames(answer, chunks), headers, answer.aclose)
        prompt_scores = body.prompt_logprobs is not None
        whole = await whole_reply(answer, TextWhole(head, echo, bool(body.echo), body.logprobs, prompt_scores))
        return Response(orjson.dumps(whole), headers=headers, media_type="application/json")

    return routes


def _told(body: CompletionRequest) -> Told:
    options = body.stream_options or StreamOptions.model_validate({})
    usage, in_all = bool(options.include_usage), bool(options.continuous_usage_stats)
    return Told(body.prompt_logprobs is not None, usage, in_all)


async def _echo(gateway: Gateway, call: TextCall, wanted: bool) -> list[str]:
    """The text of the prompt of each choice."""
    if not wanted:
        return [""] * (len(call.prompts) * call.n)
    texts = [await _text(gateway, call.model, prompt) for prompt in call.prompts]
    return [text for text in texts for _ in range(call.n)]


async def _text(gateway: Gateway, model: str, prompt: str | tuple[int, ...]) -> str:
    if isinstance(prompt, str):
        return prompt
    return (await gateway.tokenize(TokenizeCall(model, ids=prompt))).text.replace("\ufffd", "")
