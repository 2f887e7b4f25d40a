"""What a conversation is made of: messages, tool calls and the tools on offer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

__all__ = ["Message", "Reply", "Role", "Tool", "ToolCall"]

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class ToolCall:
    """One call of a tool, arguments by name. `id` joins it to its result where an API asks for it; no model sees it."""

    name: str
    arguments: Mapping[str, Any]
    id: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The form of the OpenAI chat API, which chat templates read."""
        return {"type": "function", "function": {"name": self.name, "arguments": self.arguments}}


@dataclass(frozen=True)
class Tool:
    """A function that the model may call; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The form of the OpenAI chat API, which chat templates read."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class Message:
    """One message. Reasoning and tool calls belong to the assistant; a tool's result has the role "tool" and, where an
    API asks for it, the id of its call."""

    role: Role
    content: str
    reasoning_content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            raise ValueError(f"unknown role {self.role!r}: {', '.join(get_args(Role))}")
        if self.role != "assistant" and (self.reasoning_content or self.tool_calls):
            raise ValueError(f"a {self.role} message has no reasoning and no tool calls: only the assistant's has")

    def to_dict(self) -> dict[str, Any]:
        """The form of the OpenAI chat API, which chat templates read; what is empty is left out."""
        message: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.reasoning_content:
            message["reasoning_content"] = self.reasoning_content
        if self.tool_calls:
            message["tool_calls"] = [call.to_dict() for call in self.tool_calls]
        return message


@dataclass(frozen=True)
class Reply:
    """What the model said, taken apart. `malformed` is empty, or says what broke the format."""

    reasoning: str = ""
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = field(default=())
    malformed: str = ""

    def to_message(self) -> Message:
        """The assistant's message for the history."""
        return Message("assistant", self.content, self.reasoning, self.tool_calls)
