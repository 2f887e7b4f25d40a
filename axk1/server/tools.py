"""Which of the tools on offer a choice allows."""

from __future__ import annotations

from collections.abc import Sequence

from axk1.chat.messages import Tool
from axk1.server.calls import ToolChoice
from axk1.server.errors import bad_request

__all__ = ["offered"]


def offered(tools: Sequence[Tool], choice: ToolChoice) -> tuple[Tool, ...]:
    """The tools that may be called. ApiError for a name that no tool has, or a call that is required of none."""
    known = {tool.name for tool in tools}
    for name in choice.names:
        if name not in known:
            raise bad_request(f"tool_choice names {name!r}, which is not among the tools", "tool_choice")
    if choice.mode == "required" and not tools:
        raise bad_request("tool_choice requires a tool call, but no tools are offered", "tool_choice")
    if choice.mode == "none":
        return ()
    return tuple(tool for tool in tools if not choice.names or tool.name in choice.names)
