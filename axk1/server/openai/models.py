"""GET /v1/models: what answers here."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from axk1.server.anthropic import models as anthropic
from axk1.server.calls import ModelCard
from axk1.server.openai.documented import REFUSALS
from axk1.server.parts import Parts

__all__ = ["router"]


class Model(BaseModel):
    """A model. `max_model_len`, vLLM's name, is its context in tokens; 0 where it is not known."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    max_model_len: int


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]


def router(parts: Parts) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["openai"])

    @routes.get("/v1/models", response_model=ModelList, responses=REFUSALS)
    async def list_models(request: Request) -> Any:
        """The models that requests may name; in Anthropic's form for a request with the header `anthropic-version`."""
        if anthropic.asked(request):
            return await anthropic.list_reply(request, lambda: _cards(parts, request))
        return ModelList(data=[_model(card) for card in await _cards(parts, request)])

    @routes.get("/v1/models/{model:path}", response_model=Model, responses=REFUSALS)
    async def retrieve_model(request: Request, model: str) -> Any:
        """One of them, in the same form."""
        if anthropic.asked(request):
            return await anthropic.model_reply(request, lambda: _card(parts, request, model))
        return _model(await _card(parts, request, model))

    return routes


async def _cards(parts: Parts, request: Request) -> list[ModelCard]:
    await parts.caller(request)
    return [one.card for one in parts.gateway.providers.values()]


async def _card(parts: Parts, request: Request, model: str) -> ModelCard:
    await parts.caller(request)
    return parts.gateway.provider(model).card


def _model(card: ModelCard) -> Model:
    return Model(id=card.name, created=card.created, owned_by=card.owner, max_model_len=card.context or 0)
