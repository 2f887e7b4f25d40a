"""Answers read to the end, and what every reader may rely on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from axk1.chat.messages import Message
from axk1.chat.sampling import SamplingParams
from axk1.engine.native_library import load
from axk1.native import NativeUnavailableError
from axk1.server.calls import (
    Answer,
    ChatCall,
    ContentPart,
    Event,
    Finished,
    PromptScores,
    Provider,
    ReasoningPart,
    TextCall,
    TokenScore,
    ToolArguments,
    ToolCallBegin,
    Usage,
)

T = TypeVar("T")
TAGS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<|im_end|>", "<|im_start|>", "<tool_response>")


def backend() -> str:
    """The native one, whose batches change no bit of an answer, where a C++ compiler is."""
    try:
        load()
    except NativeUnavailableError:
        return "reference"
    return "native"


def done(work: Coroutine[Any, Any, T]) -> T:
    """In an event loop of its own; nothing of these tests takes a minute."""
    return asyncio.run(asyncio.wait_for(work, 60))


@dataclass
class Said:
    """One choice."""

    reasoning: str = ""
    content: str = ""
    calls: list[tuple[str, str, str]] = field(default_factory=list)  # id, name, arguments
    scores: list[TokenScore] = field(default_factory=list)
    prompt: tuple[TokenScore, ...] | None = None
    end: Finished | None = None


async def read(answer: Answer) -> tuple[list[Said], Usage]:
    """All choices, checked as they come: in order, nothing behind the end, no half characters, usage that grows."""
    said: dict[int, Said] = {}
    before = 0
    async for event in answer:
        one = said.setdefault(event.choice, Said())
        assert one.end is None, "nothing comes behind the end"
        _add(one, event)
        assert answer.usage.completion >= before
        before = answer.usage.completion
    await answer.aclose()
    found = [said[number] for number in sorted(said)]
    for one in found:
        assert one.end is not None
        assert "\ufffd" not in one.content + one.reasoning + "".join(arguments for _, _, arguments in one.calls)
    return found, answer.usage


def _add(one: Said, event: Event) -> None:
    if isinstance(event, ReasoningPart):
        assert not one.content
        one.reasoning += event.text
    elif isinstance(event, ContentPart):
        one.content += event.text
        one.scores += event.scores
    elif isinstance(event, ToolCallBegin):
        assert event.index == len(one.calls)
        one.calls.append((event.id, event.name, ""))
    elif isinstance(event, ToolArguments):
        assert event.index == len(one.calls) - 1
        id_, name, arguments = one.calls[event.index]
        one.calls[event.index] = (id_, name, arguments + event.text)
    elif isinstance(event, PromptScores):
        assert one == Said(), "the prompt comes first"
        one.prompt = event.scores
    else:
        one.end = event


def chat(provider: Provider, call: ChatCall) -> tuple[list[Said], Usage]:
    async def ask() -> tuple[list[Said], Usage]:
        return await read(await provider.chat(call))

    return done(ask())


def complete(provider: Provider, call: TextCall) -> tuple[list[Said], Usage]:
    async def ask() -> tuple[list[Said], Usage]:
        return await read(await provider.complete(call))

    return done(ask())


def asked(text: str = "안녕", **changes: Any) -> ChatCall:
    """One message, up to forty tokens at temperature 0 unless the changes, of the call or its sampling, say another."""
    own = {name: changes.pop(name) for name in list(changes) if name in ChatCall.__dataclass_fields__}
    sampling = SamplingParams(**{"temperature": 0.0, "max_tokens": 40, **changes})
    return ChatCall(**{"model": "tiny", "messages": (Message("user", text),), "sampling": sampling, **own})


def objects(said: Said) -> list[Any]:
    """The arguments of the calls, read as JSON."""
    return [json.loads(arguments) for _, _, arguments in said.calls]
