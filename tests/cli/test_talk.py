from collections.abc import Iterator

import pytest

from axk1.chat.messages import Message, ToolCall
from axk1.chat.parser import Content, Reasoning
from axk1.cli.talk import Talk
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.tokenizer.train import train


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train(["거실 불을 켜 줘. 네, 켰어요. system user assistant"] * 4, 320)


class Scripted:
    """A model that gives its replies in turn and remembers what it was asked."""

    def __init__(self, tokenizer: Tokenizer, *replies: str) -> None:
        self.tokenizer, self.replies, self.prompts = tokenizer, list(replies), list[str]()

    def __call__(self, prompt: list[int]) -> Iterator[int]:
        self.prompts.append(self.tokenizer.decode(prompt))
        yield from self.tokenizer.encode(self.replies.pop(0))


def test_a_reply_streams_and_joins_the_history(tokenizer: Tokenizer) -> None:
    model = Scripted(tokenizer, "네, 켰어요.", "😀 네")
    talk = Talk(tokenizer, model, 1000)
    events = list(talk.say("불을 켜 줘"))
    assert len(events) > 1
    assert all(isinstance(event, Content) for event in events)
    assert "".join(event.text for event in events if isinstance(event, Content)) == "네, 켰어요."
    assert talk.messages == [Message("user", "불을 켜 줘"), Message("assistant", "네, 켰어요.")]
    list(talk.say("또?"))
    assert "불을 켜 줘<|im_end|>" in model.prompts[1]
    assert model.prompts[1].endswith("<|im_start|>assistant\n</think>")


def test_thinking_is_asked_for_and_taken_apart(tokenizer: Tokenizer) -> None:
    model = Scripted(tokenizer, "1+1=2</think>2예요.")
    talk = Talk(tokenizer, model, 1000, thinking=True)
    events = list(talk.say("1+1"))
    assert model.prompts[0].endswith("<think>")
    assert "".join(event.text for event in events if isinstance(event, Reasoning)) == "1+1=2"
    assert talk.messages[-1] == Message("assistant", "2예요.", "1+1=2")


def test_a_tool_call_is_kept(tokenizer: Tokenizer) -> None:
    model = Scripted(tokenizer, '<tool_call>{"name": "light", "arguments": {"on": true}}</tool_call>')
    talk = Talk(tokenizer, model, 1000)
    assert list(talk.say("켜")) == [ToolCall("light", {"on": True})]
    assert talk.messages[-1].tool_calls == (ToolCall("light", {"on": True}),)


def test_old_turns_are_dropped_when_the_context_is_full(tokenizer: Tokenizer) -> None:
    model = Scripted(tokenizer, *["네"] * 20)
    talk = Talk(tokenizer, model, 120, messages=[Message("system", "짧게")])
    for number in range(20):
        list(talk.say(f"질문 {number}"))
    assert talk.messages[0] == Message("system", "짧게")
    assert talk.messages[1].role == "user"
    assert "질문 19" in model.prompts[-1]
    assert "질문 0<" not in model.prompts[-1]
    assert all(len(tokenizer.encode(prompt)) <= 120 for prompt in model.prompts)


def test_a_message_longer_than_the_context_is_an_error(tokenizer: Tokenizer) -> None:
    talk = Talk(tokenizer, Scripted(tokenizer), 20)
    with pytest.raises(ValueError, match="the model reads at most 20"):
        list(talk.say("아주 긴 말 " * 20))
    assert talk.messages == []


def test_a_reply_that_is_broken_off_leaves_the_history(tokenizer: Tokenizer) -> None:
    talk = Talk(tokenizer, Scripted(tokenizer, "네, 켰어요."), 1000)
    reply = talk.say("불을 켜 줘")
    next(reply)
    reply.close()  # type: ignore[attr-defined]
    assert talk.messages == []


def test_reset_keeps_the_system_message(tokenizer: Tokenizer) -> None:
    talk = Talk(tokenizer, Scripted(tokenizer, "네"), 1000, messages=[Message("system", "짧게")])
    list(talk.say("불"))
    talk.reset()
    assert talk.messages == [Message("system", "짧게")]
