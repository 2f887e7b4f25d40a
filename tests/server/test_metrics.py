"""/metrics tells what happened, by model and outcome."""

import asyncio
import re
from pathlib import Path

import httpx

from axk1.server.access import OpenGate
from axk1.server.app import create_app
from axk1.server.calls import ContentPart
from axk1.server.errors import overloaded
from axk1.server.gateway import Gateway
from axk1.server.metrics import Metrics
from axk1.server.parts import Parts
from server.played import PlayedProvider, talk
from server.serving import parts_in


def values(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"^([a-z][^ ]*) ([0-9.e+-]+)$", text, re.MULTILINE)}


def test_every_request_is_counted_by_how_it_ended(tmp_path: Path) -> None:
    async def play() -> dict[str, float]:
        provider = PlayedProvider(
            lambda call: [ContentPart(0, "반"), overloaded("stop")] if call.n == 2 else talk(call)
        )
        async with parts_in(tmp_path, provider, OpenGate()) as made:
            gateway = Gateway(made.gateway.providers, OpenGate(), Metrics())
            app = create_app(Parts(gateway, made.settings, made.database, made.started))
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
                body = {"model": "played", "messages": [{"role": "user", "content": "가 나 다"}]}
                for more in ({}, {"reasoning_effort": "low"}, {"n": 2}, {"model": "nobody"}, {"temperature": 9}):
                    await http.post("/v1/chat/completions", json=body | more)
                return values((await http.get("/metrics")).text)

    found = asyncio.run(play())
    assert found['axk1_requests_total{model_name="played",outcome="completed"}'] == 2
    assert found['axk1_requests_total{model_name="played",outcome="failed"}'] == 1
    assert found['vllm:generation_tokens_total{model_name="played"}'] == 3 + 5 + 1
    assert found['axk1_reasoning_tokens_total{model_name="played"}'] == 2
    assert found['vllm:prompt_tokens_total{model_name="played"}'] == 9
    assert found['vllm:num_requests_running{model_name="played"}'] == 0
    assert found['vllm:time_to_first_token_seconds_count{model_name="played"}'] == 3
    assert not [name for name in found if "nobody" in name]
