"""POST /v1/embeddings."""

from __future__ import annotations

import base64
from array import array
from typing import Any, Literal

import orjson
from fastapi import APIRouter, Request, Response

from axk1.server.calls import EmbedCall
from axk1.server.errors import bad_request
from axk1.server.openai.completions_request import Prompt, prompts_of
from axk1.server.openai.documented import REFUSALS
from axk1.server.openai.strict import JsonRoute, Strict
from axk1.server.parts import Parts, origin_of

__all__ = ["router"]

_MOST = 2048  # inputs of a request, as OpenAI has it


class EmbeddingRequest(Strict):
    """Texts or token ids."""

    model: str
    input: Prompt
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None
    user: str | None = None


def router(parts: Parts) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["openai"], route_class=JsonRoute)

    @routes.post("/v1/embeddings", responses=REFUSALS, response_class=Response)
    async def create_embedding(request: Request, body: EmbeddingRequest) -> Response:
        """A vector of length 1 for each input: the mean of the model's hidden states."""
        caller = await parts.member(request)
        provider = parts.gateway.provider(body.model)
        if not provider.card.embeddings:
            raise bad_request(f"the model {body.model!r} makes no embeddings", "model")
        if body.dimensions is not None:
            raise bad_request("dimensions cannot be chosen: the vectors have the model's hidden size", "dimensions")
        inputs = prompts_of(body.input, "input")
        if len(inputs) > _MOST:
            raise bad_request(f"input holds {len(inputs)} texts: at most {_MOST} in one request", "input")
        made = await parts.gateway.embed(origin_of(request, caller), EmbedCall(body.model, inputs))
        data = [_entry(place, one, body.encoding_format == "base64") for place, one in enumerate(made.vectors)]
        usage = {"prompt_tokens": made.usage.prompt, "total_tokens": made.usage.prompt}
        whole = {"object": "list", "data": data, "model": body.model, "usage": usage}
        return Response(orjson.dumps(whole), media_type="application/json")

    return routes


def _entry(place: int, vector: tuple[float, ...], packed: bool) -> dict[str, Any]:
    made = base64.b64encode(array("f", vector).tobytes()).decode() if packed else vector
    return {"object": "embedding", "index": place, "embedding": made}
