"""Fields of a form, each one line and bounded."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import get_args
from urllib.parse import parse_qsl

from fastapi import Request

from axk1.server.access import Role
from axk1.server.admin.office import KeyLimits
from axk1.server.errors import ApiError, bad_request

__all__ = ["Fields", "limits", "name", "read", "role"]

Fields = Mapping[str, str]
_MOST_BYTES = 16 << 10
_MOST_FIELDS = 16
_MOST_NAME = 100
_MOST_NUMBER = 10**15


async def read(request: Request) -> Fields:
    """413 for a form that no page of ours sends."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise ApiError(413, "the form is too long")
    try:
        pairs = parse_qsl(
            bytes(body).decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise bad_request("the form is broken") from error
    return dict(pairs)


def name(fields: Fields) -> str:
    """NFC, without control characters; 400 for one that is empty or too long."""
    text = unicodedata.normalize("NFC", fields.get("name", ""))
    text = "".join(one for one in text if unicodedata.category(one)[0] != "C").strip()
    if not 0 < len(text) <= _MOST_NAME:
        raise bad_request(f"a name has 1 to {_MOST_NAME} characters", "name")
    return text


def role(fields: Fields) -> Role:
    """400 for an unknown one."""
    given = fields.get("role", "member")
    for known in get_args(Role):
        if given == known:
            return known  # type: ignore[no-any-return]
    raise bad_request(f"role must be one of {', '.join(get_args(Role))}", "role")


def limits(fields: Fields) -> KeyLimits:
    """An empty field is no limit."""
    return KeyLimits(*(_number(fields, one) for one in ("requests_per_minute", "tokens_per_minute", "tokens_per_day")))


def _number(fields: Fields, field: str) -> int | None:
    text = fields.get(field, "").strip().replace(",", "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > _MOST_NUMBER:
        raise bad_request(f"{field} must be a whole number from 0 to {_MOST_NUMBER}, or empty for no limit", field)
    return int(text)
