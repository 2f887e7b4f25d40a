"""A request to /v1/chat/completions, and the call that it asks for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from axk1.chat.messages import Message, Tool, ToolCall
from axk1.server.calls import ChatCall, ToolChoice
from axk1.server.errors import ApiError, bad_request
from axk1.server.fields import json_of
from axk1.server.openai.sampling import SamplingFields, made
from axk1.server.openai.strict import Strict
from axk1.server.settings import ThinkingSettings
from axk1.server.thinking import Effort, of_openai

__all__ = ["AnyMessages", "ChatRequest", "OfferedTools", "call_of"]

_DEEPEST = 64  # objects and lists in each other, in the arguments of a call

_OTHER_PARTS = ("image_url", "input_audio", "file", "video_url", "audio_url", "input_image")
_ANY_OBJECT: dict[str, Any] = {"type": "object"}


class ContentPart(Strict):
    """Only text is read."""

    type: Literal["text"]
    text: str


def _only_text(value: Any) -> Any:
    """Says it of pictures and sound before anything else is said of them."""
    for part in value if isinstance(value, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in _OTHER_PARTS:
            raise PydanticCustomError("only_text", "{kind} cannot be read: this model reads text only", {"kind": kind})
    return value


Content = Annotated[str | list[ContentPart], BeforeValidator(_only_text)]


class SystemMessage(Strict):
    """Instructions; the developer's are the system's."""

    role: Literal["system", "developer"]
    content: Content
    name: str | None = None


class UserMessage(Strict):
    """What the user says."""

    role: Literal["user"]
    content: Content
    name: str | None = None


class CalledFunction(Strict):
    """Arguments are JSON text."""

    name: str
    arguments: str


class CalledTool(Strict):
    """A call that the assistant made earlier."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction
    index: int | None = None


class AssistantMessage(Strict):
    """What the assistant said; its reasoning counts until the next user message."""

    role: Literal["assistant"]
    content: Content | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[CalledTool] | None = None
    refusal: str | None = None
    name: str | None = None
    annotations: list[dict[str, Any]] | None = Field(None, max_length=0)
    audio: None = None
    function_call: None = None


class ToolMessage(Strict):
    """The result of a call."""

    role: Literal["tool"]
    content: Content
    tool_call_id: str
    name: str | None = None


AnyMessage = Annotated[SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]


class Function(Strict):
    """A function on offer. `strict` is always so: arguments follow their schema."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class OfferedTool(Strict):
    """Only functions; other types of tools belong to OpenAI's own services."""

    type: Literal["function"]
    function: Function


class FunctionName(Strict):
    """A function by name."""

    name: str


class NamedChoice(Strict):
    """This function, and no other."""

    type: Literal["function"]
    function: FunctionName


class AllowedTools(Strict):
    """Some of the functions."""

    mode: Literal["auto", "required"]
    tools: list[NamedChoice]


class AllowedChoice(Strict):
    """Only some of the functions may be called."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


class JsonSchema(Strict):
    """A schema that the answer follows; always strictly."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None


class TextFormat(Strict):
    """Free text."""

    type: Literal["text"]


class JsonObjectFormat(Strict):
    """Some JSON object."""

    type: Literal["json_object"]


class JsonSchemaFormat(Strict):
    """JSON by a schema."""

    type: Literal["json_schema"]
    json_schema: JsonSchema


ResponseFormat = Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]


AnyMessages = Annotated[list[AnyMessage], Field(min_length=1, max_length=4096)]
OfferedTools = Annotated[list[OfferedTool], Field(max_length=128)]


class ChatRequest(SamplingFields):
    """Fields marked "accepted" change nothing here, and nothing in the answer anywhere."""

    messages: AnyMessages
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    tools: OfferedTools | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedChoice | AllowedChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: Effort | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    thinking_budget: int | None = Field(None, ge=0)
    thinking_token_budget: int | None = Field(None, ge=0)
    modalities: list[Literal["text"]] | None = None
    metadata: dict[str, str] | None = None  # accepted
    store: bool | None = None  # accepted: nothing is stored
    service_tier: Literal["auto", "default"] | None = None
    safety_identifier: str | None = None  # accepted
    prompt_cache_key: str | None = None  # accepted: the cache finds prefixes by itself
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None  # accepted
    prediction: dict[str, Any] | None = None  # accepted: it could only change the speed


def call_of(body: ChatRequest, settings: ThinkingSettings) -> ChatCall:
    """ApiError for what makes no sense together."""
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        raise bad_request("max_tokens is the older name of max_completion_tokens: send one of them", "max_tokens")
    most = body.max_completion_tokens if body.max_tokens is None else body.max_tokens
    if most == 0:
        raise bad_request("max_tokens must be at least 1", "max_tokens")
    if body.top_logprobs is not None and not body.logprobs:
        raise bad_request("top_logprobs goes with logprobs: set logprobs to true", "top_logprobs")
    logprobs = (body.top_logprobs or 0) if body.logprobs else None
    kwargs = body.chat_template_kwargs or {}
    return ChatCall(
        body.model,
        _messages(body.messages),
        tuple(_tool(one.function) for one in body.tools or ()),
        _choice(body),
        of_openai(settings, body.reasoning_effort, kwargs, _budget(body)),
        made(body, most, logprobs, **_format(body)),
        body.n or 1,
        {name: value for name, value in kwargs.items() if name != "enable_thinking"},
    )


def _budget(body: ChatRequest) -> int | None:
    if body.thinking_budget is not None and body.thinking_token_budget is not None:
        raise bad_request("thinking_budget and thinking_token_budget are one: send one of them", "thinking_budget")
    return body.thinking_token_budget if body.thinking_budget is None else body.thinking_budget


def _format(body: ChatRequest) -> dict[str, Any]:
    asked = body.response_format
    if asked is None or isinstance(asked, TextFormat):
        return {}
    schema = _ANY_OBJECT if isinstance(asked, JsonObjectFormat) else asked.json_schema.schema_
    return {"json_schema": _ANY_OBJECT if schema is None else schema}


def _tool(function: Function) -> Tool:
    return Tool(function.name, function.description or "", function.parameters or {"type": "object", "properties": {}})


def _choice(body: ChatRequest) -> ToolChoice:
    asked, parallel = body.tool_choice, body.parallel_tool_calls is not False
    if isinstance(asked, NamedChoice):
        return ToolChoice("required", (asked.function.name,), parallel=False)
    if isinstance(asked, AllowedChoice):
        names = tuple(one.function.name for one in asked.allowed_tools.tools)
        return ToolChoice(asked.allowed_tools.mode, names, parallel)
    return ToolChoice(asked or "auto", (), parallel)


def _messages(messages: list[AnyMessage]) -> tuple[Message, ...]:
    made_: list[Message] = []
    open_calls: set[str] = set()
    for place, message in enumerate(messages):
        where = f"messages.{place}"
        if isinstance(message, AssistantMessage):
            calls = tuple(_call(one, f"{where}.tool_calls") for one in message.tool_calls or ())
            open_calls |= {call.id for call in calls}
            reasoning = message.reasoning_content or message.reasoning or ""
            made_.append(Message("assistant", _text(message.content), reasoning, calls))
        elif isinstance(message, ToolMessage):
            if message.tool_call_id not in open_calls:
                raise bad_request(
                    f"{where}.tool_call_id {message.tool_call_id!r} answers no tool call of an assistant before it",
                    f"{where}.tool_call_id",
                )
            made_.append(Message("tool", _text(message.content), tool_call_id=message.tool_call_id))
        else:
            role: Literal["system", "user"] = "user" if message.role == "user" else "system"
            made_.append(Message(role, _text(message.content)))
    return tuple(made_)


def _text(content: Content | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.text for part in content)


def _call(call: CalledTool, where: str) -> ToolCall:
    try:
        arguments = json_of((call.function.arguments or "{}").encode(), _DEEPEST)
    except ApiError as error:
        what = f"are not JSON as the standard has it, nested at most {_DEEPEST} deep"
        raise bad_request(f"{where}: the arguments of {call.function.name!r} {what}", where) from error
    if not isinstance(arguments, dict):
        raise bad_request(f"{where}: the arguments of {call.function.name!r} must be a JSON object", where)
    return ToolCall(call.function.name, arguments, call.id)
