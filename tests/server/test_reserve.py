"""What is reserved is never less than what a call can use."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from axk1.chat.messages import Message, Tool, ToolCall
from axk1.chat.sampling import SamplingParams
from axk1.chat.template import render
from axk1.server.calls import ChatCall, EmbedCall, TextCall
from axk1.server.reserve import most_tokens

FIVE = SamplingParams(max_tokens=5)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
values = st.dictionaries(texts, st.one_of(texts, st.integers(), st.booleans()), max_size=3)
calls = st.builds(ToolCall, texts, values)
messages = st.one_of(
    st.builds(Message, st.sampled_from(["system", "user", "tool"]), texts),
    st.builds(Message, st.just("assistant"), texts, texts, st.lists(calls, max_size=2).map(tuple)),
)


@given(st.lists(messages, min_size=1, max_size=5), st.lists(st.builds(Tool, texts, texts, values), max_size=3))
def test_a_rendered_chat_has_no_more_bytes_than_are_reserved(said: list[Message], tools: list[Tool]) -> None:
    call = ChatCall("nano", tuple(said), tuple(tools), sampling=FIVE)
    for thinking in (False, True):
        rendered = render(said, tools, enable_thinking=thinking, add_generation_prompt=True)
        assert len(rendered.encode()) + 5 <= most_tokens(call, None)


def test_the_context_bounds_each_choice() -> None:
    chat = ChatCall("nano", (Message("user", "가" * 9000),), sampling=FIVE, n=3)
    assert most_tokens(chat, 100) == 100 + 2 * 5
    assert most_tokens(ChatCall("nano", chat.messages, n=2), 100) == 200


def test_texts_ids_and_inputs_are_counted_one_by_one() -> None:
    prompts: Any = ("가나", (1, 2, 3))
    assert most_tokens(TextCall("nano", prompts, FIVE, n=2), None) == (7 + 5 + 5) + (4 + 5 + 5)
    assert most_tokens(TextCall("nano", prompts, FIVE, generate=False), None) == 7 + 4
    assert most_tokens(EmbedCall("nano", prompts), 6) == 6 + 4


def test_without_any_bound_nothing_is_known() -> None:
    assert most_tokens(ChatCall("nano", (Message("user", "안녕"),)), None) == 0
