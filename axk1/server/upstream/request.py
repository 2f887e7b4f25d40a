"""Our calls as requests to an OpenAI-compatible server. What the upstream cannot do is refused, never left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from axk1.chat.messages import Message, Tool, ToolCall
from axk1.chat.sampling import SamplingParams
from axk1.server.calls import ChatCall, TextCall, ToolChoice
from axk1.server.errors import ApiError, bad_request
from axk1.server.tools import offered
from axk1.server.upstream.dialect import Ability, Dialect

__all__ = ["chat_request", "messages_of", "template_of", "text_request", "tools_of"]

_NEUTRAL: Mapping[str, tuple[Ability, object]] = {  # fields with the value that changes nothing
    "top_k": ("top_k", 0),
    "min_p": ("min_p", 0.0),
    "repetition_penalty": ("repetition_penalty", 1.0),
    "ignore_eos": ("ignore_eos", False),
    "stop_token_ids": ("stop_token_ids", ()),
}


def chat_request(call: ChatCall, dialect: Dialect, model: str, name: str) -> dict[str, Any]:
    """The body for /chat/completions. ApiError (400) for what the upstream `name` cannot do."""
    need = _Need(dialect, name)
    body = _sampling(call.sampling, need) | {"model": model, "messages": messages_of(call.messages, dialect)}
    body |= template_of(call, dialect, name)
    if call.thinking.enabled and call.thinking.budget is not None:
        need.ability("thinking_budget", "thinking_budget", "a bound on reasoning that is kept")
        body[dialect.budget] = call.thinking.budget
    if call.sampling.logprobs is not None:
        need.ability("logprobs", "logprobs", "log-probabilities")
        body |= {"logprobs": True, "top_logprobs": call.sampling.logprobs}
    if call.n != 1:
        need.ability("n", "n", "several answers at once")
        body["n"] = call.n
    return body | _tool_fields(call, need) | _chat_structure(call.sampling, need) | _streamed(call.sampling, dialect)


def text_request(call: TextCall, dialect: Dialect, model: str, name: str) -> dict[str, Any]:
    """The body for /completions. ApiError as `chat_request`."""
    need = _Need(dialect, name)
    need.ability("completions", "prompt", "completions of plain text")
    prompts = [one if isinstance(one, str) else list(one) for one in call.prompts]
    body = _sampling(call.sampling, need) | {"model": model, "prompt": prompts[0] if len(prompts) == 1 else prompts}
    if not call.generate:
        body["max_tokens"] = 1  # the least that every server takes; the token is left out of the answer
    elif call.sampling.max_tokens is None:
        need.ability("guided", "max_tokens", "completions without max_tokens")  # others stop after 16 tokens unasked
        body["max_tokens"] = None
    if call.sampling.logprobs is not None:
        need.ability("logprobs", "logprobs", "log-probabilities")
        body["logprobs"] = call.sampling.logprobs
    if call.n != 1:
        need.ability("n", "n", "several answers at once")
        body["n"] = call.n
    guided = _guided(call.sampling)
    if guided:
        need.ability("guided", "structured_outputs", "structured output of completions")
        body["structured_outputs"] = guided
    return body | _streamed(call.sampling, dialect)


def messages_of(messages: Sequence[Message], dialect: Dialect) -> list[dict[str, Any]]:
    """The conversation. Calls without an id get one, and their results the same."""
    made = []
    ids = _Ids()
    for message in messages:
        one: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.reasoning_content and dialect.reasoning:
            one[dialect.reasoning] = message.reasoning_content
        if message.tool_calls:
            one["tool_calls"] = [_called(call, ids.begin(call.id)) for call in message.tool_calls]
        if message.role == "tool":
            one["tool_call_id"] = ids.answer(message.tool_call_id)
        made.append(one)
    return made


def tools_of(tools: Sequence[Tool], choice: ToolChoice) -> list[dict[str, Any]]:
    """The tools that may be called: none for "none". ApiError (400) for a choice that no tool answers."""
    return [tool.to_dict() for tool in offered(tools, choice)]


def template_of(call: ChatCall, dialect: Dialect, name: str) -> dict[str, Any]:
    """chat_template_kwargs. A switch that the upstream has is always set, for its own default may be the other one."""
    need = _Need(dialect, name)
    kwargs = dict(call.template_kwargs)
    if kwargs:
        need.ability("template", "chat_template_kwargs", "variables of the chat template")
    if dialect.can("thinking"):
        kwargs["enable_thinking"] = call.thinking.enabled and call.thinking.budget != 0
    elif call.thinking.enabled:
        need.ability("thinking", "chat_template_kwargs", "a switch for reasoning")
    return {"chat_template_kwargs": kwargs} if kwargs else {}


class _Need:
    """Refuses what the upstream cannot do."""

    def __init__(self, dialect: Dialect, name: str) -> None:
        self._dialect, self._name = dialect, name

    def ability(self, ability: Ability, param: str, what: str) -> None:
        """ApiError (400) unless the upstream has it."""
        if not self._dialect.can(ability):
            raise self.refusal(param, what)

    def refusal(self, param: str, what: str) -> ApiError:
        """What to tell the client."""
        return bad_request(f"the model {self._name!r} cannot be asked for {what}: leave out {param}", param)

    def can(self, ability: Ability) -> bool:
        """Whether the upstream has it."""
        return self._dialect.can(ability)


class _Ids:
    """The ids of calls, in the order in which their results come."""

    def __init__(self) -> None:
        self._made = 0
        self._open: list[str] = []

    def begin(self, given: str) -> str:
        """The id of a call."""
        self._made += 1
        found = given or f"call_{self._made}"
        self._open.append(found)
        return found

    def answer(self, given: str) -> str:
        """The id that a result names, or that of the oldest call without a result."""
        found = given or next(iter(self._open), f"call_{self._made}")
        if found in self._open:
            self._open.remove(found)
        return found


def _called(call: ToolCall, identity: str) -> dict[str, Any]:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {"id": identity, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _sampling(params: SamplingParams, need: _Need) -> dict[str, Any]:
    body: dict[str, Any] = {"temperature": params.temperature, "top_p": params.top_p}
    if params.max_tokens is not None:
        body["max_tokens"] = params.max_tokens
    if params.stop:
        body["stop"] = list(params.stop)
    for name in ("presence_penalty", "frequency_penalty"):
        if getattr(params, name):
            body[name] = getattr(params, name)
    for name, value in _marked(params):
        need.ability(_NEUTRAL[name][0], name, name)
        body[name] = value
    if params.logit_bias:
        need.ability("logit_bias", "logit_bias", "logit_bias")
        body["logit_bias"] = {str(token): bias for token, bias in params.logit_bias.items()}
    if params.seed is not None and need.can("seed"):  # drawn by us where the client gave none: no ground to refuse
        body["seed"] = params.seed
    return body


def _marked(params: SamplingParams) -> Iterator[tuple[str, Any]]:
    """The fields that change something."""
    for name, (_, neutral) in _NEUTRAL.items():
        value = getattr(params, name)
        if value != neutral and not (name == "top_k" and value == -1):
            yield name, list(value) if isinstance(value, tuple) else value


def _streamed(params: SamplingParams, dialect: Dialect) -> dict[str, Any]:
    """Scores of the prompt come in whole replies only: vLLM refuses to stream them."""
    if params.prompt_logprobs is not None:
        return {"prompt_logprobs": params.prompt_logprobs}
    if not dialect.usage:
        return {"stream": True}
    running = {"continuous_usage_stats": True} if dialect.can("running_usage") else {}
    return {"stream": True, "stream_options": {"include_usage": True} | running}


def _tool_fields(call: ChatCall, need: _Need) -> dict[str, Any]:
    choice = call.tool_choice
    tools = tools_of(call.tools, choice)
    if not tools:
        return {}
    need.ability("tools", "tools", "tool calls")
    body: dict[str, Any] = {"tools": tools, "tool_choice": choice.mode}
    if choice.mode == "required" and len(tools) == 1 and not choice.parallel:
        body["tool_choice"] = {"type": "function", "function": {"name": tools[0]["function"]["name"]}}
    elif not choice.parallel:
        body["parallel_tool_calls"] = False
    return body


def _chat_structure(params: SamplingParams, need: _Need) -> dict[str, Any]:
    if params.json_schema is not None:
        need.ability("schema", "response_format", "structured output")
        schema = {"name": "answer", "schema": _schema(params.json_schema), "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    guided = _guided(params)
    if guided:
        need.ability("guided", "structured_outputs", "structured output by a regex or a grammar")
        return {"structured_outputs": guided}
    return {}


def _guided(params: SamplingParams) -> dict[str, Any]:
    if params.json_schema is not None:
        return {"json": _schema(params.json_schema)}
    given = {"regex": params.regex, "grammar": params.grammar}
    return {name: value for name, value in given.items() if value is not None}


def _schema(schema: str | Mapping[str, Any]) -> Any:
    return json.loads(schema) if isinstance(schema, str) else dict(schema)
