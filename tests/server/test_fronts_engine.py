"""The responses and the messages on our own engine with a small random model: whatever it says has the right form."""

import json
import re
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
import torch

from axk1.chat import template
from axk1.export.huggingface import save
from axk1.server.engine.provider import EngineProvider
from axk1.server.settings import ServeSettings, ThinkingSettings
from axk1.tokenizer.train import train
from server.serving import AppOf, listening
from tiny_models import tiny_model

TEXT = "거실 불을 켜 줘. 네, 거실 불을 켰어요. 온도는 23도예요. 오늘 서울 날씨는 맑고 바람이 불어요. The room is warm. "
SCHEMA = {
    "type": "object",
    "properties": {"room": {"enum": ["거실", "안방"]}},
    "required": ["room"],
    "additionalProperties": False,
}
TOOL: dict[str, Any] = {"type": "function", "name": "light", "description": "불", "parameters": SCHEMA, "strict": True}
BUDGET = 6


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("engine")
    torch.manual_seed(0)
    model = tiny_model(vocab_size=640, max_position_embeddings=1024, initializer_range=0.3)
    files = train([TEXT] * 20, 600).files() | template.files()
    save(model.state_dict(), model.config, folder / "tiny", files, dtype=torch.float32)
    provider = EngineProvider.open(folder / "tiny")
    settings = ServeSettings(thinking=ThinkingSettings(low=BUDGET))
    try:
        with listening(AppOf(folder, provider, settings)) as found:
            yield found
    finally:
        provider.engine.close()


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="key-blue", max_retries=0) as made:
        yield made


@pytest.fixture
def claude(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=url, api_key="key-blue", max_retries=0) as made:
        yield made


def without_ids(output: Any) -> Any:
    return json.loads(re.sub(r"(rs|msg|fc|call)_[0-9a-f]+", "id", json.dumps(output)))


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"reasoning": {"effort": "low"}},
        {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False},
        {"tools": [TOOL], "reasoning": {"effort": "low"}},
        {"text": {"format": {"type": "json_schema", "name": "room", "schema": SCHEMA, "strict": True}}},
        {"top_logprobs": 2},
    ],
)
def test_the_response_and_its_stream_are_equal(client: openai.OpenAI, asked: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"model": "tiny", "input": "거실 불을 켜 줘.", "temperature": 0, "max_output_tokens": 60}
    whole = client.responses.create(**fields | asked)
    *_, last = client.responses.create(**fields | asked, stream=True)
    assert whole.output
    assert without_ids(last.response.to_dict()["output"]) == without_ids(whole.to_dict()["output"])
    assert client.responses.retrieve(last.response.id).to_dict() == last.response.to_dict()
    assert whole.usage.output_tokens_details.reasoning_tokens <= (BUDGET if "reasoning" in asked else 0)
    assert client.responses.input_tokens.count(
        model="tiny", input=fields["input"], **{name: one for name, one in asked.items() if name != "top_logprobs"}
    ).input_tokens == (whole.usage.input_tokens)


def test_a_tools_loop_with_reasoning_goes_on(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {
        "model": "tiny",
        "tools": [TOOL],
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low"},
        "max_output_tokens": 60,
    }
    first = client.responses.create(**asked, input="거실 불을 켜 줘.", tool_choice="required")
    assert [one.type for one in first.output if one.type != "message"] == ["reasoning", "function_call"]
    call = first.output[-1]
    assert json.loads(call.arguments)["room"] in ("거실", "안방")
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "켰음"}
    second = client.responses.create(**asked, input=[output], previous_response_id=first.id, tool_choice="none")
    assert {one.type for one in second.output} <= {"reasoning", "message"}
    assert second.usage.input_tokens > first.usage.input_tokens


@pytest.mark.parametrize("thinking", [{"type": "disabled"}, {"type": "enabled", "budget_tokens": BUDGET}])
def test_a_tools_loop_of_messages_goes_on(claude: anthropic.Anthropic, thinking: dict[str, Any]) -> None:
    tool = {"name": "light", "description": "불", "input_schema": SCHEMA}
    asked: dict[str, Any] = {"model": "tiny", "max_tokens": 60, "tools": [tool], "thinking": thinking}
    asked["extra_body"] = {"temperature": 0}
    turns: list[Any] = [{"role": "user", "content": "거실 불을 켜 줘."}]
    choice: Any = {"type": "any", "disable_parallel_tool_use": True}
    first = claude.messages.create(**asked, messages=turns, tool_choice=choice)
    with claude.messages.stream(**asked, messages=turns, tool_choice=choice) as stream:
        streamed = stream.get_final_message()
    assert without_ids(streamed.to_dict()["content"]) == without_ids(first.to_dict()["content"])
    assert first.stop_reason == "tool_use"
    assert first.usage.output_tokens_details.thinking_tokens <= (BUDGET if thinking["type"] == "enabled" else 0)
    used = first.content[-1]
    assert used.input["room"] in ("거실", "안방")
    result = {"type": "tool_result", "tool_use_id": used.id, "content": "켰음"}
    turns += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = claude.messages.create(**asked, messages=turns, tool_choice={"type": "none"})
    assert {one.type for one in second.content} <= {"thinking", "text"}
