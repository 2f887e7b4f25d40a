"""Models in Anthropic's form, for requests with its header."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import Request, Response

from axk1.server.anthropic.form import answered, json_reply
from axk1.server.calls import ModelCard
from axk1.server.errors import bad_request

__all__ = ["asked", "list_reply", "model_reply"]

_MOST = 1000


def asked(request: Request) -> bool:
    """Whether the request is of a client of Anthropic."""
    return "anthropic-version" in request.headers


async def model_reply(request: Request, card: Callable[[], Awaitable[ModelCard]]) -> Response:
    """One model, or the error that `card` raises."""

    async def make() -> Response:
        return json_reply(_model(await card()))

    return await answered(request, make)


async def list_reply(request: Request, cards: Callable[[], Awaitable[Sequence[ModelCard]]]) -> Response:
    """A page of all models: `limit`, `after_id` and `before_id` are the query's."""

    async def make() -> Response:
        return json_reply(_page([_model(card) for card in await cards()], request))

    return await answered(request, make)


def _page(models: list[dict[str, Any]], request: Request) -> dict[str, Any]:
    query, names = request.query_params, [model["id"] for model in models]
    limit = query.get("limit", "20")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= _MOST:
        raise bad_request(f"limit: must be from 1 to {_MOST}", "limit")
    for name in ("after_id", "before_id"):
        if name in query and query[name] not in names:
            raise bad_request(f"{name}: no model has the id {query[name]!r}", name)
    if "before_id" in query:
        found = models[: names.index(query["before_id"])]
        shown = found[-int(limit) :]
    else:
        found = models[names.index(query["after_id"]) + 1 :] if "after_id" in query else models
        shown = found[: int(limit)]
    ends = {"first_id": shown[0]["id"] if shown else None, "last_id": shown[-1]["id"] if shown else None}
    return {"data": shown, "has_more": len(found) > len(shown)} | ends


def _model(card: ModelCard) -> dict[str, Any]:
    return {
        "type": "model",
        "id": card.name,
        "display_name": card.name,
        "created_at": datetime.fromtimestamp(card.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
        "max_input_tokens": card.context,
        "max_tokens": card.context,
    }
