"""Whatever is done to a good request, the answer is good or says what is wrong: it is never a fault of the server."""

import asyncio
import copy
import json
import random
from pathlib import Path
from typing import Any

import httpx
import pytest

from axk1.server.app import create_app
from server.played import PlayedProvider
from server.played_scripts import script
from server.serving import parts_in

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
RESPONSES: dict[str, Any] = {
    "model": "played",
    "input": [
        {"role": "developer", "content": "짧게"},
        {"role": "user", "content": [{"type": "input_text", "text": "날씨"}]},
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "흠"}]},
        {"type": "function_call", "call_id": "a", "name": "weather", "arguments": '{"city": "서울"}', "id": "fc_a"},
        {"type": "function_call_output", "call_id": "a", "output": "맑음"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "맑아요", "annotations": []}]},
        {"role": "user", "content": "고마워"},
    ],
    "instructions": "친절하게",
    "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "weather"}]},
    "text": {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA}},
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["message.output_text.logprobs"],
    "metadata": {"a": "b"},
    "max_output_tokens": 9,
    "temperature": 0.5,
    "top_p": 0.5,
    "top_logprobs": 2,
    "stream": False,
    "store": False,
}
MESSAGES: dict[str, Any] = {
    "model": "played",
    "max_tokens": 99,
    "system": [{"type": "text", "text": "짧게"}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "날씨"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "흠", "signature": "x"},
                {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "서울"}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "a", "content": "맑음", "is_error": False}],
        },
    ],
    "tools": [{"name": "weather", "description": "날씨", "input_schema": SCHEMA}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 9},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
    "stop_sequences": ["끝"],
    "metadata": {"user_id": "a"},
    "temperature": 0.5,
    "top_k": 3,
    "stream": False,
}
ODD: list[Any] = [None, True, -1, 0, 1e300, 2**70, "", "\x00", "가" * 3000, [], {}, [[]], {"type": None}, [None], [{}]]


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything inside a value."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [found for key in keys for found in [(*path, key), *places_in(value[key], (*path, key))]]


def mutated(body: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """One to three places changed: replaced, removed, doubled, or with a field more."""
    body = copy.deepcopy(body)
    for _ in range(rng.randint(1, 3)):
        *way, last = rng.choice(places_in(body))
        holder: Any = body
        for key in way:
            holder = holder[key]
        act = rng.choice(["replace", "replace", "swap", "remove", "add"])
        if act == "remove":
            del holder[last]
        elif act == "add" and isinstance(holder, dict):
            holder[rng.choice(["type", "content", "x", "id"])] = rng.choice(ODD)
        elif act == "swap":
            *other, _ = rng.choice(places_in(body))
            holder[last] = copy.deepcopy(other)
        else:
            holder[last] = copy.deepcopy(rng.choice(ODD))
    return body


@pytest.mark.parametrize(("path", "body"), [("/v1/responses", RESPONSES), ("/v1/messages", MESSAGES)])
def test_no_mutation_is_a_fault(tmp_path: Path, path: str, body: dict[str, Any]) -> None:
    rng = random.Random(7)
    statuses: dict[int, int] = {}

    async def ask() -> None:
        async with parts_in(tmp_path, PlayedProvider(script)) as parts:
            transport = httpx.ASGITransport(create_app(parts))
            headers = {"authorization": "Bearer key-blue"}
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
                assert (await client.post(path, json=body)).status_code == 200
                for _ in range(700):
                    changed = mutated(body, rng)
                    found = await client.post(path, content=json.dumps(changed).encode())
                    statuses[found.status_code] = statuses.get(found.status_code, 0) + 1
                    assert found.status_code in (200, 400, 404), (changed, found.text)
                    if found.status_code == 400:
                        message = found.json()["error"]["message"]
                        assert message
                        assert "\n" not in message

    asyncio.run(ask())
    assert min(statuses[200], statuses[400]) > 50
