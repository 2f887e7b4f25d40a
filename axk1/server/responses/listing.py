"""A page of a list, in OpenAI's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from axk1.server.errors import bad_request
from axk1.server.fields import one_of

__all__ = ["page"]

_MOST = 100


def page(items: Sequence[dict[str, Any]], limit: int, order: str, after: str | None) -> dict[str, Any]:
    """At most `limit` of `items`, the oldest first or last, those behind the one with the id `after`. 400."""
    if not 1 <= limit <= _MOST:
        raise bad_request(f"limit: must be from 1 to {_MOST}", "limit")
    found = list(items) if one_of(order, "order", ("asc", "desc")) == "asc" else list(reversed(items))
    if after is not None:
        places = [place for place, item in enumerate(found) if item["id"] == after]
        if not places:
            raise bad_request(f"after: no item of this list has the id {after!r}", "after")
        found = found[places[0] + 1 :]
    shown = found[:limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(found) > limit,
    }
