import pytest

from axk1.chat.messages import Message, ToolCall


def test_unknown_role_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match="unknown role 'robot': system, user, assistant, tool"):
        Message("robot", "")  # type: ignore[arg-type]


@pytest.mark.parametrize("role", ["system", "user", "tool"])
def test_only_the_assistant_reasons_and_calls(role: str) -> None:
    with pytest.raises(ValueError, match=f"a {role} message"):
        Message(role, "", reasoning_content="음")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"a {role} message"):
        Message(role, "", tool_calls=(ToolCall("f", {}),))  # type: ignore[arg-type]


def test_openai_form() -> None:
    message = Message("assistant", "네", "음", (ToolCall("f", {"a": 1}),))
    assert message.to_dict() == {
        "role": "assistant",
        "content": "네",
        "reasoning_content": "음",
        "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}],
    }
    assert Message("user", "").to_dict() == {"role": "user", "content": ""}
