"""What the OpenAPI page says of the requests and replies: the fields that are read, in short."""

from __future__ import annotations

from typing import Any

__all__ = ["COUNT", "CREATE", "REFUSALS", "STREAMED"]

_TEXT_OR_BLOCKS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]}
_OBJECT = {"type": ["object", "null"]}
_MESSAGE = {
    "type": "object",
    "required": ["role", "content"],
    "properties": {"role": {"enum": ["user", "assistant", "system"]}, "content": _TEXT_OR_BLOCKS},
}
_COUNTED: dict[str, Any] = {
    "model": {"type": "string"},
    "messages": {"type": "array", "minItems": 1, "items": _MESSAGE},
    "system": _TEXT_OR_BLOCKS,
    "tools": {"type": ["array", "null"], "items": {"type": "object"}, "description": "Functions of your own."},
    "tool_choice": _OBJECT | {"description": "`type`: auto, any, tool or none."},
    "thinking": _OBJECT | {"description": "`type`: enabled with budget_tokens, adaptive or disabled."},
    "output_config": _OBJECT | {"description": "`effort` of adaptive thinking; `format`: json_schema."},
    "output_format": _OBJECT | {"description": "The older name of `output_config.format`."},
    "cache_control": _OBJECT,
    "speed": {"enum": ["standard", None]},
}
_ASKED: dict[str, Any] = {
    "max_tokens": {"type": "integer", "minimum": 1, "description": "Reasoning and answer together."},
    "stop_sequences": {"type": ["array", "null"], "items": {"type": "string"}},
    "stream": {"type": ["boolean", "null"]},
    "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
    "top_p": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 1},
    "top_k": {"type": ["integer", "null"], "minimum": 0},
    "metadata": _OBJECT,
    "service_tier": {"enum": ["auto", "standard_only", None]},
}
_ERROR = {
    "type": "object",
    "required": ["type", "error", "request_id"],
    "properties": {
        "type": {"const": "error"},
        "request_id": {"type": "string"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
        },
    },
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    "default": {"description": "What is wrong, in one line.", "content": {"application/json": {"schema": _ERROR}}}
}
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The message, or with `stream` server-sent events.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/event-stream": {"schema": {"type": "string"}},
        },
    }
}


def _body(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "required": required, "properties": properties, "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


CREATE = _body(_COUNTED | _ASKED, ["model", "messages", "max_tokens"])
COUNT = _body(_COUNTED, ["model", "messages"])
