"""Messages → text, by the one template that is also exported, rendered as transformers renders it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from axk1.chat.messages import Message, Tool

__all__ = ["OURS", "Template", "files", "render", "render_for_training"]

_SOURCE = Path(__file__).with_name("template.jinja").read_text(encoding="utf-8")


def files() -> dict[str, bytes]:
    """The template under the name by which transformers and vLLM look for it in a model's folder."""
    return {"chat_template.jinja": _SOURCE.encode("utf-8")}


def render(
    messages: Sequence[Message],
    tools: Sequence[Tool] = (),
    enable_thinking: bool = False,
    add_generation_prompt: bool = False,
) -> str:
    """The conversation as text.

    The generation prompt ends in only `<think>` or only `</think>`. Reasoning is shown after the last user message and
    only with `enable_thinking`. A reply that is appended as a message renders as the prompt and the text the model
    produced, so caches of the prefix stay valid until the next user message drops the reasoning; one exception: a
    thinking reply with nothing before its `</think>` renders as a reply without thinking, for the empty pair is never
    shown to a model. ValueError when there are no messages.
    """
    return "".join(_pieces(messages, tools, enable_thinking, add_generation_prompt))


def render_for_training(
    messages: Sequence[Message], tools: Sequence[Tool], enable_thinking: bool
) -> list[tuple[str, bool]]:
    """The conversation in segments (text, whether the assistant wrote it); joined they are `render`'s text.

    The assistant wrote what follows the generation prompt of each of its turns, up to and with `<|im_end|>`: the loss
    is on that. Segments meet at special tokens, so their ids, joined, are the ids of the whole. ValueError when the
    assistant says nothing, or when it is to think but a turn that should show its reasoning has none.
    """
    if not any(message.role == "assistant" for message in messages):
        raise ValueError("nothing to learn: the conversation has no assistant message")
    if enable_thinking:
        _require_reasoning(messages)
    pieces = _pieces(messages, tools, enable_thinking, add_generation_prompt=False)
    return [("".join(run), written) for written, run in groupby(pieces, key=lambda piece: isinstance(piece, _Written))]


def _require_reasoning(messages: Sequence[Message]) -> None:
    for place in range(len(messages) - 1, -1, -1):
        message = messages[place]
        if message.role == "user":
            return
        if message.role == "assistant" and not message.reasoning_content:
            raise ValueError(f"thinking is on, but message {place} of the conversation has no reasoning_content")


def _pieces(
    messages: Sequence[Message], tools: Sequence[Tool], enable_thinking: bool, add_generation_prompt: bool
) -> Iterator[str]:
    if not messages:
        raise ValueError("a conversation needs at least one message")
    return _TEMPLATE.generate(
        messages=[message.to_dict() for message in messages],
        tools=[tool.to_dict() for tool in tools],
        enable_thinking=enable_thinking,
        add_generation_prompt=add_generation_prompt,
    )


class _Written(str):
    """A piece of the rendering that the assistant wrote."""

    __slots__ = ()


class _Generation(Extension):
    """`{% generation %}…{% endgeneration %}`, by which transformers too finds what the assistant wrote."""

    tags = {"generation"}  # noqa: RUF012  (jinja2 declares it so)

    def parse(self, parser: Parser) -> nodes.Node:
        """The block becomes a call that marks its text."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_mark"), [], [], body).set_lineno(line)

    def _mark(self, caller: Callable[[], str]) -> str:
        return _Written(caller())


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """The filter of transformers: unlike jinja2's own it escapes no HTML and keeps Hangul readable."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> None:
    raise TemplateError(message)


def _environment() -> ImmutableSandboxedEnvironment:
    """Set up as in transformers' chat_template_utils, so that the exported template renders the same there."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    return environment


class Template:
    """A chat template, compiled once: that is ten times the price of a rendering."""

    def __init__(self, source: str, variables: Mapping[str, object] | None = None) -> None:
        """`variables` are what a template may name beside the conversation, such as bos_token. ValueError for a source
        that is no template."""
        self._variables = dict(variables or {})
        try:
            self._template = _environment().from_string(source)
        except TemplateError as error:
            raise ValueError(f"the chat template cannot be read: {error}") from error

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        enable_thinking: bool,
        variables: Mapping[str, object] | None = None,
    ) -> str:
        """The prompt for the assistant's next turn. ValueError for what the template refuses."""
        given = self._variables | dict(variables or {}) | {"enable_thinking": enable_thinking}
        try:
            return self._template.render(messages=messages, tools=tools, add_generation_prompt=True, **given)
        except (TemplateError, TypeError) as error:
            raise ValueError(f"the chat template cannot render this conversation: {error}") from error


OURS = Template(_SOURCE)
_TEMPLATE = OURS._template
