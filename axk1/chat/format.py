"""The chat format of a model folder: conversations to ids, such that nothing that people write can steer the model."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axk1.chat.messages import Message, Tool
from axk1.chat.template import Template
from axk1.tokenizer.special import THINK
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["ChatFormat", "ChatPrompt"]

_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")


@dataclass(frozen=True)
class ChatPrompt:
    """The ids of a conversation up to the assistant's turn; `thinking`: that turn begins inside the reasoning."""

    ids: list[int]
    thinking: bool


class ChatFormat:
    """A template and the tokenizer whose special tokens it writes."""

    def __init__(self, template: Template, tokenizer: Tokenizer) -> None:
        self._template, self._tokenizer = template, tokenizer
        names = sorted(tokenizer.named_ids, key=len, reverse=True)
        self._names = re.compile("|".join(map(re.escape, names))) if names else None

    @classmethod
    def of(cls, folder: Path, tokenizer: Tokenizer) -> ChatFormat | None:
        """The format of a Hugging Face folder: chat_template.jinja, else what tokenizer_config.json holds; None for a
        model that has none. ValueError for a template that cannot be read."""
        config = _tokenizer_config(folder)
        file = folder / "chat_template.jinja"
        source = file.read_text(encoding="utf-8") if file.is_file() else config.get("chat_template")
        if not isinstance(source, str):
            return None
        return cls(Template(source, {name: _text(config.get(name)) for name in _SPECIAL}), tokenizer)

    def prompt(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] = (),
        enable_thinking: bool = False,
        variables: Mapping[str, object] | None = None,
    ) -> ChatPrompt:
        """What the model reads before it answers. ValueError for a conversation that the template refuses.

        The names of special tokens in messages and tools are plain text: the template alone writes the tokens.
        """
        conversation = [message.to_dict() for message in messages]
        offered = [tool.to_dict() for tool in tools]
        fence = self._fence([conversation, offered])
        if fence:
            conversation, offered = self._fenced(conversation, fence), self._fenced(offered, fence)
        text = self._template.render(conversation, offered, enable_thinking, variables)
        pieces = text.split(fence) if fence else [text]
        ids = [
            token
            for place, piece in enumerate(pieces)
            if piece
            for token in self._tokenizer.encode(piece, special_tokens=place % 2 == 0)
        ]
        return ChatPrompt(ids, pieces[-1].rstrip().endswith(THINK))

    def _fence(self, values: object) -> str:
        """What to put around names of special tokens; "" where there are none. Nobody can guess it."""
        if self._names is None or not self._names.search(json.dumps(values, ensure_ascii=False)):
            return ""
        return secrets.token_hex(16)

    def _fenced(self, value: Any, fence: str) -> Any:
        assert self._names is not None
        if isinstance(value, str):
            return self._names.sub(lambda found: fence + found.group() + fence, value)
        if isinstance(value, Mapping):
            return {self._fenced(key, fence): self._fenced(one, fence) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._fenced(one, fence) for one in value]
        return value


def _tokenizer_config(folder: Path) -> dict[str, Any]:
    file = folder / "tokenizer_config.json"
    if not file.is_file():
        return {}
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{file} must hold an object")
    return config


def _text(token: object) -> str:
    """A special token as text: written so, or as an object with its content."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else ""
