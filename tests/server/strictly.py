"""Replies held against the types of official clients: required fields are there, nulls only where the API has them."""

import types
from collections.abc import Collection
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

# Optional in the client's types for two reasons that these do not tell apart: may be left out, or may be null. These
# may be null by OpenAI's specification; every other optional field is left out or has a value.
NULLABLE = frozenset({"content", "refusal", "logprobs", "usage", "finish_reason", "top_logprobs", "bytes"})


def check(value: Any, annotation: Any, place: str = "$", nullable: Collection[str] = NULLABLE) -> None:
    """AssertionError with the place of the first thing that is not as the type has it."""
    if get_origin(annotation) is Annotated:
        check(value, get_args(annotation)[0], place, nullable)
    elif get_origin(annotation) in (Union, types.UnionType):
        _check_any(value, [one for one in get_args(annotation) if one is not types.NoneType], place, nullable)
    elif get_origin(annotation) is list:
        assert isinstance(value, list), place
        for number, one in enumerate(value):
            check(one, get_args(annotation)[0], f"{place}[{number}]", nullable)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        _check_object(value, annotation, place, nullable)


def _check_any(value: Any, choices: list[Any], place: str, nullable: Collection[str]) -> None:
    if value is None:
        return
    found: list[AssertionError] = []
    for choice in [one for one in choices if _may_be(value, one)] or choices:
        try:
            check(value, choice, place, nullable)
        except AssertionError as error:
            found.append(error)
        else:
            return
    raise found[0]


def _may_be(value: Any, choice: Any) -> bool:
    """Whether the `type` of an object is the choice's."""
    if not isinstance(value, dict) or not isinstance(choice, type) or not issubclass(choice, BaseModel):
        return False
    kind = choice.model_fields.get("type")
    return kind is not None and value.get("type") in get_args(kind.annotation)


def _check_object(value: Any, model: type[BaseModel], place: str, nullable: Collection[str]) -> None:
    assert isinstance(value, dict), f"{place} is no object"
    try:
        model.model_validate(value, strict=False)
    except ValidationError as error:
        raise AssertionError(f"{place}: {error}") from error
    for name, field in model.model_fields.items():
        key, where = field.alias or name, f"{place}.{name}"
        if key not in value:
            assert not field.is_required(), f"{where} is required"
        elif value[key] is None:
            assert name in nullable, f"{where} is null"
        else:
            check(value[key], field.annotation, where, nullable)
