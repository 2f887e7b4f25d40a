"""POST /tokenize and /detokenize, in vLLM's form."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from axk1.server.calls import TokenizeCall
from axk1.server.errors import bad_request
from axk1.server.openai.chat_request import AnyMessages, ChatRequest, OfferedTools
from axk1.server.openai.chat_request import call_of as chat_call
from axk1.server.openai.documented import REFUSALS
from axk1.server.openai.strict import JsonRoute, Strict
from axk1.server.parts import Parts

__all__ = ["router"]


class TokenizeRequest(Strict):
    """A text, or a conversation as the model reads it before it answers."""

    model: str | None = None
    prompt: str | None = None
    messages: AnyMessages | None = None
    tools: OfferedTools | None = None
    chat_template_kwargs: dict[str, bool | int | float | str] | None = None
    return_token_strs: bool | None = None


class TokenizeReply(BaseModel):
    """The ids, how many there are, and the context of the model (0: not known)."""

    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: list[str] | None = None


class DetokenizeRequest(Strict):
    """Ids."""

    model: str | None = None
    tokens: list[Annotated[int, Field(ge=0)]]


class DetokenizeReply(BaseModel):
    """Their text."""

    prompt: str


def router(parts: Parts) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["tokens"], route_class=JsonRoute)

    def named(model: str | None) -> str:
        name = next(iter(parts.gateway.providers)) if model is None else model
        if not parts.gateway.provider(name).card.tokenizer:
            raise bad_request(f"the tokenizer of the model {name!r} is not at hand", "model")
        return name

    @routes.post("/tokenize", responses=REFUSALS, response_model_exclude_none=True)
    async def tokenize(request: Request, body: TokenizeRequest) -> TokenizeReply:
        """The ids of a text or of a conversation."""
        await parts.member(request)
        name = named(body.model)
        if (body.prompt is None) == (body.messages is None):
            raise bad_request("send either prompt or messages", "prompt")
        found = await parts.gateway.tokenize(_call(name, body, parts))
        context = parts.gateway.provider(name).card.context or 0
        pieces = list(found.pieces) if body.return_token_strs else None
        return TokenizeReply(count=len(found.ids), max_model_len=context, tokens=list(found.ids), token_strs=pieces)

    @routes.post("/detokenize", responses=REFUSALS)
    async def detokenize(request: Request, body: DetokenizeRequest) -> DetokenizeReply:
        """The text of ids; bytes that are no text become U+FFFD."""
        await parts.member(request)
        found = await parts.gateway.tokenize(TokenizeCall(named(body.model), ids=tuple(body.tokens)))
        return DetokenizeReply(prompt=found.text)

    return routes


def _call(name: str, body: TokenizeRequest, parts: Parts) -> TokenizeCall:
    if body.messages is None:
        return TokenizeCall(name, text=body.prompt)
    given = body.model_dump(include={"messages", "tools", "chat_template_kwargs"}, exclude_none=True)
    chat = ChatRequest.model_validate({"model": name} | given)
    return TokenizeCall(name, chat=chat_call(chat, parts.settings.thinking))
