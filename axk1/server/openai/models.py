"""GET /v1/models: what answers here."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

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

    @routes.get("/v1/models", responses=REFUSALS)
    async def list_models(request: Request) -> ModelList:
        """The models that requests may name."""
        await parts.caller(request)
        return ModelList(data=[_model(one.card) for one in parts.gateway.providers.values()])

    @routes.get("/v1/models/{model:path}", responses=REFUSALS)
    async def retrieve_model(request: Request, model: str) -> Model:
        """One of them."""
        await parts.caller(request)
        return _model(parts.gateway.provider(model).card)

    return routes


def _model(card: ModelCard) -> Model:
    return Model(id=card.name, created=card.created, owned_by=card.owner, max_model_len=card.context or 0)
