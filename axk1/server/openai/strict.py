"""Requests that are read to the letter: an unknown field is named, not ignored; JSON is JSON."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from difflib import get_close_matches
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from axk1.server.errors import ApiError, bad_request
from axk1.server.fields import json_of

__all__ = ["JsonRoute", "Strict", "refusal"]


class Strict(BaseModel):
    """A JSON object whose fields are these and no others; a null is as if the field were left out."""

    model_config = ConfigDict(strict=True, extra="forbid", protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _only_known(cls, value: Any) -> Any:
        if isinstance(value, dict):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for name in value:
                if name not in known:
                    text = {"text": _unknown(name, known), "field": name}
                    raise PydanticCustomError("unknown_field", "{text}", text)
        return value


_OLDER = {"functions": "tools", "function_call": "tool_choice"}  # what OpenAI itself replaced


def _unknown(name: str, known: list[str]) -> str:
    if _OLDER.get(name) in known:
        return f"unknown field {name!r}: it was replaced by {_OLDER[name]}, which is read here"
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}"
    return f"unknown field {name!r}: {hint}"


class JsonRoute(APIRoute):
    """A route whose body is JSON as the standard has it: no NaN, no half of a surrogate pair, whatever its type."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler that FastAPI made, given a request that reads its JSON strictly."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            strict = _JsonRequest(request.scope, request.receive)
            await strict.read()
            return await handler(strict)

        return handle


class _JsonRequest(Request):
    """Its JSON is read before FastAPI asks for it, which would tell any fault as one and the same."""

    async def read(self) -> None:
        """400 for what is not JSON, or too deep."""
        body = await self.body()
        self._json = json_of(body, self.state.limits.json_depth) if body else None


def refusal(error: RequestValidationError) -> ApiError:
    """What is wrong with a request, and where: of several alternatives the one that the request comes closest to."""
    placed = [(_place(one["loc"], error.body), one) for one in error.errors()]
    place, first = max(placed, key=lambda one: len(one[0]))
    if first["type"] == "unknown_field":
        return bad_request(first["msg"], ".".join([*place, first["ctx"]["field"]]), "unknown_parameter")
    if first["type"] == "missing":
        where = ".".join([*place, str(first["loc"][-1])])
        return bad_request(f"{where} is missing", where, "missing_required_parameter")
    where = ".".join(place) or "body"
    return bad_request(f"{where}: {first['msg']}", where, "invalid_value")


def _place(loc: Sequence[int | str], body: Any) -> list[str]:
    """The path of an error within the body, without the names that pydantic gives to alternatives."""
    place, value = [], body
    for part in loc:
        inside = (isinstance(value, dict) and part in value) or (isinstance(value, list) and isinstance(part, int))
        if inside:
            value = value[part]
            place.append(str(part))
    return place if place or len(loc) < 2 else [str(part) for part in loc[1:]]
