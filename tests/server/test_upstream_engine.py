"""Our engine through a server and an upstream provider says what it says by itself, token for token."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from axk1.chat import template
from axk1.chat.messages import Message, Tool
from axk1.chat.sampling import SamplingParams
from axk1.export.huggingface import save
from axk1.server.calls import (
    Answer,
    ChatCall,
    ContentPart,
    Finished,
    PromptScores,
    Provider,
    ReasoningPart,
    TextCall,
    Thinking,
    TokenizeCall,
    TokenScore,
    ToolArguments,
    ToolCallBegin,
    ToolChoice,
)
from axk1.server.engine.provider import EngineProvider
from axk1.tokenizer.train import train
from server.behind import BehindServer
from server.serving import AppOf, listening
from tiny_models import tiny_model

TOOLS = (Tool("set", "켜기", {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}),)
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Provider, Provider]]:
    """The engine, and the same one far away."""
    folder = tmp_path_factory.mktemp("provided") / "model"
    model = tiny_model(bos_token_id=0, eos_token_id=1, vocab_size=330, max_position_embeddings=256)
    tokenizer = train(["거실 불을 켜 줘. 네, 거실 불을 켰어요.\n"] * 8, 320)
    save(model.state_dict(), model.config, folder, tokenizer.files() | template.files())
    near = EngineProvider.open(folder, "tiny", backend="reference")
    with listening(AppOf(tmp_path_factory.mktemp("near"), near)) as url:
        far = BehindServer(f"{url}/v1", "tiny")
        yield near, far
        asyncio.run(far.close())
    asyncio.run(near.close())


async def heard(answer: Answer) -> tuple[dict[int, dict[str, Any]], Any]:
    """By choice: texts joined, calls without their random ids, scores as the API can say them; and the usage."""
    said: dict[int, dict[str, Any]] = {}
    async for event in answer:
        one = said.setdefault(event.choice, {"reasoning": "", "content": "", "calls": [], "scores": [], "end": None})
        if isinstance(event, ReasoningPart):
            one["reasoning"] += event.text
        elif isinstance(event, ContentPart):
            one["content"] += event.text
            one["scores"] += [bare(score) for score in event.scores]
        elif isinstance(event, ToolCallBegin):
            one["calls"].append([event.name, ""])
        elif isinstance(event, ToolArguments):
            one["calls"][event.index][1] += event.text
        elif isinstance(event, PromptScores):
            one["prompt"] = [(score.id, score.data, score.logprob) for score in event.scores]
        elif isinstance(event, Finished):
            one["end"] = event
    return said, replace(answer.usage, cached=0)  # the second time more is in the cache


def bare(score: TokenScore) -> TokenScore:
    return replace(score, id=None, rank=None, top=tuple(map(bare, score.top)))


def ask(seed: int, max_tokens: int = 40, **more: Any) -> ChatCall:
    names = ("logprobs", "stop", "json_schema", "top_k", "repetition_penalty", "prompt_logprobs")
    sampling = {name: more.pop(name) for name in names if name in more}
    params = SamplingParams(temperature=1.0, seed=seed, max_tokens=max_tokens, **sampling)
    return ChatCall("tiny", (Message("system", "짧게"), Message("user", "거실 불을 켜 줘.")), sampling=params, **more)


CALLS = {
    "plain": {},
    "three": {"n": 3},
    "scores": {"logprobs": 2},
    "reasoning": {"thinking": Thinking(True), "logprobs": 0},
    "budget": {"thinking": Thinking(True, 5)},
    "schema": {"json_schema": SCHEMA},
    "tools": {"tools": TOOLS, "tool_choice": ToolChoice("required"), "max_tokens": 80},
    "one tool": {"tools": TOOLS, "tool_choice": ToolChoice("required", ("set",), parallel=False), "max_tokens": 80},
    "choice of the model": {"tools": TOOLS, "max_tokens": 80},
    "stop": {"stop": ("을", "켜")},
    "penalty": {"top_k": 20, "repetition_penalty": 1.3},
    "prompt scores": {"prompt_logprobs": 1, "logprobs": 1},
}


@pytest.mark.parametrize("kind", CALLS)
def test_a_chat(kind: str, both: tuple[Provider, Provider]) -> None:
    async def said(provider: Provider, call: ChatCall) -> Any:
        return await heard(await provider.chat(call))

    for seed in range(3):
        near, far = (asyncio.run(said(provider, ask(seed, **CALLS[kind]))) for provider in both)  # type: ignore[arg-type]
        assert near == far


@pytest.mark.parametrize("generate", [True, False])
def test_a_completion(generate: bool, both: tuple[Provider, Provider]) -> None:
    params = SamplingParams(temperature=1.0, seed=3, max_tokens=8, logprobs=1, prompt_logprobs=1)
    call = TextCall("tiny", ("거실 불을", (5, 20, 21)), params, n=2 if generate else 1, generate=generate)

    async def said(provider: Provider) -> Any:
        return await heard(await provider.complete(call))

    near, far = (asyncio.run(said(provider)) for provider in both)
    assert near == far


def test_tokens(both: tuple[Provider, Provider]) -> None:
    for call in (
        TokenizeCall("tiny", text="거실 뷁"),
        TokenizeCall("tiny", chat=ask(0)),
        TokenizeCall("tiny", ids=(5,)),
    ):
        near, far = (asyncio.run(provider.tokenize(call)) for provider in both)
        assert near == far
