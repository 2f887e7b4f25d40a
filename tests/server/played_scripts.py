"""What the played model says in the tests of the responses and the messages: it depends on the last message."""

from collections.abc import Sequence

from axk1.server.calls import (
    ChatCall,
    ContentPart,
    Event,
    Finished,
    ReasoningPart,
    ToolArguments,
    ToolCallBegin,
)
from axk1.server.errors import overloaded
from server.played import talk


def script(call: ChatCall) -> Sequence[Event | Exception]:
    """Fails on demand, stops on demand, calls two tools when there are some, else repeats."""
    last = call.messages[-1]
    special: dict[str, list[Event | Exception]] = {
        "fail": [ReasoningPart(0, "흠"), ContentPart(0, "안"), overloaded("the queue is full")],
        "fault": [ContentPart(0, "안"), RuntimeError("a secret of the house")],
        "fail early": [overloaded("the queue is full")],
        "stop": [ContentPart(0, "하나"), Finished(0, "stop", "둘")],
        "long": [ContentPart(0, "하나 "), ContentPart(0, "둘"), Finished(0, "length")],
        "cut": [
            ToolCallBegin(0, 0, "call_a", "weather"),
            ToolArguments(0, 0, '{"a": 1, "city": "서'),
            Finished(0, "length"),
        ],
        "nothing": [Finished(0, "stop")],
        "json": [ContentPart(0, '{"city": '), ContentPart(0, '"서울"}'), Finished(0, "stop")],
    }
    if last.content in special:
        return special[last.content]
    if call.tools and last.role == "user" and call.tool_choice.mode != "none":
        thought: list[Event | Exception] = [ReasoningPart(0, "도구가 필요해.")] if call.thinking.enabled else []
        begun = [ContentPart(0, "볼게요."), ToolCallBegin(0, 0, "call_a", "weather"), ToolArguments(0, 0, '{"city":')]
        other = [ToolArguments(0, 0, '"서울"}'), ToolCallBegin(0, 1, "call_b", "weather"), ToolArguments(0, 1, "{}")]
        return [*thought, *begun, *other, Finished(0, "tool_calls")]
    return talk(call)
