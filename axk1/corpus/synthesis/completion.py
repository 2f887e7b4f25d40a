"""A request to a model and its answer, whoever gives it: an endpoint, or an engine that the caller hands in."""

import json
import threading
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from axk1.corpus.endpoint import Endpoint, post

__all__ = ["Answer", "Complete", "Request", "served"]

_THOUGHT_ENDS = "</think>"


@dataclass(frozen=True)
class Request:
    """What a model is asked, in the terms of the chat API. `extra`: further keys of its body."""

    model: str
    prompt: str
    system: str = ""
    max_tokens: int = 1024
    temperature: float = 0.7
    top_p: float = 0.95
    seed: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def messages(self) -> list[dict[str, str]]:
        """The system's, if there is one, and the user's."""
        said = (("system", self.system), ("user", self.prompt))
        return [{"role": role, "content": content} for role, content in said if content]

    @property
    def body(self) -> dict[str, Any]:
        """Of POST /chat/completions."""
        names = ("model", "messages", "max_tokens", "temperature", "top_p", "seed")
        return {**{name: getattr(self, name) for name in names}, **self.extra}

    @property
    def key(self) -> str:
        """SHA-256 of the body: the same request, wherever it is sent, has the same key."""
        return sha256(json.dumps(self.body, ensure_ascii=False, sort_keys=True).encode("utf-8")).hexdigest()


@dataclass(frozen=True)
class Answer:
    """A reply: its text without the thinking before it, the name that the model gives itself, what it took, when.

    finish: "stop" at the model's own end, "length" at max_tokens. made: UTC, in seconds.
    """

    text: str
    finish: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    made: str


Complete = Callable[[Request], Answer]
"""Called from several threads at once. Raises EndpointError when there is no answer."""


def served(endpoint: Endpoint, stop: threading.Event | None = None) -> Complete:
    """Answers of an endpoint. Where it counts no tokens, an upper bound stands in: the bytes of the texts."""

    def complete(request: Request) -> Answer:
        return post(endpoint, "/chat/completions", request.body, lambda reply: _answer(reply, request), stop)

    return complete


def _answer(reply: Any, request: Request) -> Answer:
    """KeyError, TypeError or ValueError for what is no answer of the chat API."""
    choice = reply["choices"][0]
    content = choice["message"].get("content") or ""
    if not isinstance(content, str):
        raise TypeError("choices[0].message.content is no text")
    usage = reply.get("usage") or {}
    return Answer(
        unicodedata.normalize("NFC", content.rpartition(_THOUGHT_ENDS)[2].strip()),
        str(choice.get("finish_reason") or "stop"),
        str(reply.get("model") or request.model),
        int(usage.get("prompt_tokens", len(request.prompt.encode("utf-8")))),
        int(usage.get("completion_tokens", len(content.encode("utf-8")))),
        datetime.now(UTC).isoformat("T", "seconds"),
    )
