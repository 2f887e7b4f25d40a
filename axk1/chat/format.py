"""The chat format of a model folder: conversations to ids, such that nothing that people write can steer the model."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
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
        self._names = self._names_or_beginnings = None
        if names := list(tokenizer.named_ids):
            # a template may write texts of a tool side by side: none may end in what the next one could complete
            beginnings = {name[:size] for name in names for size in range(1, len(name))}
            self._names = re.compile(_any_of(names))
            self._names_or_beginnings = re.compile(f"{_any_of(names)}|{_any_of(beginnings, chr(92) + 'Z')}")

    @classmethod
    def of(cls, folder: Path, tokenizer: Tokenizer) -> ChatFormat | None:
        """The format of a Hugging Face folder: chat_template.jinja, else what tokenizer_config.json holds; None for a
        model that has none. ValueError for a template that cannot be read."""
        config = _tokenizer_config(folder)
        file = folder / "chat_template.jinja"
        source = file.read_text(encoding="utf-8") if file.is_file() else _default(config.get("chat_template"))
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

        The names of special tokens in messages, tools and variables are plain text: the template alone writes them.
        """
        fences = _Fences()
        try:
            text = self._template.render(
                fences.around([message.to_dict() for message in messages], self._names),
                fences.around([tool.to_dict() for tool in tools], self._names_or_beginnings),
                enable_thinking,
                fences.around(dict(variables or {}), self._names_or_beginnings),
            )
        except RecursionError as error:
            raise ValueError("the conversation or a tool is nested too deeply: make it flatter") from error
        pieces = fences.pieces(text)
        ids = [
            token
            for place, piece in enumerate(pieces)
            if piece
            for token in self._tokenizer.encode(piece, special_tokens=place % 2 == 0)
        ]
        return ChatPrompt(ids, pieces[-1].rstrip().endswith(THINK))


class _Fences:
    """Marks the names of special tokens in what people wrote, so that they are found again in the rendered text.

    The marks are numbered and nobody can guess them. A template may cut a text between two of them, as those do that
    leave old reasoning out: a mark that has lost its other half is dropped.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_hex(16)
        self._count = 0

    def around(self, value: Any, names: re.Pattern[str] | None) -> Any:
        """The value with marks around every name in its texts."""
        if names is None:
            return value
        if isinstance(value, str):
            return names.sub(self._fenced, value)
        if isinstance(value, Mapping):
            return {self.around(key, names): self.around(one, names) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.around(one, names) for one in value]
        return value

    def pieces(self, text: str) -> list[str]:
        """The text without marks, cut: what the template wrote and what stood between marks in turn."""
        if not self._count:
            return [text]
        found = re.split(rf"{self._secret}o(\d+);(.*?){self._secret}c\1;", text, flags=re.DOTALL)
        mark = re.compile(rf"{self._secret}[oc]\d+;")
        return [mark.sub("", piece) for place, piece in enumerate(found) if place % 3 != 1]

    def _fenced(self, found: re.Match[str]) -> str:
        self._count += 1
        return f"{self._secret}o{self._count};{found.group()}{self._secret}c{self._count};"


def _any_of(texts: Iterable[str], end: str = "") -> str:
    """A pattern that finds the longest of these texts, before `end`."""
    return f"(?:{'|'.join(map(re.escape, sorted(texts, key=len, reverse=True)))}){end}"


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


def _default(templates: object) -> object:
    """The template itself; of a list of named ones the one called so."""
    if not isinstance(templates, list):
        return templates
    named = {one.get("name"): one.get("template") for one in templates if isinstance(one, dict)}
    return named.get("default")
