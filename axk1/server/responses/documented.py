"""What the OpenAPI page says of the requests: the fields that are read, in short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from axk1.server.responses.request import COUNTED, CREATED

__all__ = ["COUNT", "CREATE"]

_TEXT = {"type": ["string", "null"]}
_FLAG = {"type": ["boolean", "null"]}
_OBJECT = {"type": ["object", "null"]}
_FIELDS: dict[str, dict[str, Any]] = {
    "model": {"type": "string"},
    "input": {
        "description": "A text of the user, or items: message, function_call, function_call_output, reasoning, "
        "item_reference.",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}],
    },
    "instructions": _TEXT | {"description": "A system message before all else; of this answer only."},
    "previous_response_id": _TEXT | {"description": "The kept answer whose conversation goes on."},
    "tools": {"type": ["array", "null"], "items": {"type": "object"}, "description": "Functions of your own."},
    "tool_choice": {
        "description": "auto, none, required, one function, or allowed_tools.",
        "anyOf": [{"enum": ["auto", "none", "required", None]}, {"type": "object"}],
    },
    "parallel_tool_calls": _FLAG,
    "text": _OBJECT | {"description": "`format`: text, json_object or json_schema."},
    "reasoning": _OBJECT | {"description": "`effort`; off when left out."},
    "truncation": {"enum": ["disabled", None]},
    "stream": _FLAG,
    "stream_options": _OBJECT,
    "store": _FLAG | {"description": "Whether the answer is kept; true when left out."},
    "include": {
        "type": ["array", "null"],
        "items": {"enum": ["message.output_text.logprobs", "reasoning.encrypted_content"]},
    },
    "metadata": _OBJECT | {"maxProperties": 16, "additionalProperties": {"type": "string", "maxLength": 512}},
    "max_output_tokens": {"type": ["integer", "null"], "minimum": 1, "description": "Reasoning and answer together."},
    "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 2},
    "top_p": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 1},
    "top_logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 20},
    "presence_penalty": {"type": ["number", "null"], "minimum": -2, "maximum": 2},
    "frequency_penalty": {"type": ["number", "null"], "minimum": -2, "maximum": 2},
    "service_tier": {"enum": ["auto", "default", None]},
    "background": {"enum": [False, None]},
    "user": _TEXT,
    "safety_identifier": _TEXT,
    "prompt_cache_key": _TEXT,
}


def _body(names: Sequence[str]) -> dict[str, Any]:
    properties = {name: _FIELDS[name] for name in names}
    schema = {"type": "object", "required": ["model", "input"], "properties": properties, "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


CREATE = _body(CREATED)
COUNT = _body(COUNTED)
