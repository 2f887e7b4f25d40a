import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.chat.messages import Message, Tool, ToolCall
from axk1.chat.parser import parse
from axk1.chat.template import render, render_for_training
from axk1.tokenizer.tokenizer import Tokenizer

SCRAPS = [
    *[
        "거실 불 켜 줘",
        "네!",
        "12 + 34 = 46",
        " ",
        "\n",
        "\n\n ",
        "\t",
        "\r\n",
        "\u2028",
        "\u3000",
        "👍🏽👨‍👩‍👧",
        "ᄒᆞᆫ글",
        "e\u0301",
        "\u0301",
        "각",
    ],
    *[
        "<",
        "</",
        "<think>",
        "</think>",
        "<tool_call>",
        "</tool_call>",
        "<tool_response>",
        "<|im_end|>",
        "<|im_start|>",
        "<|endoftext|>",
    ],
    *['"', "\\", "{}", "{% generation %}", "{{ messages }}", "&lt;", "'"],
]
text = st.lists(st.one_of(st.sampled_from(SCRAPS), st.text(max_size=9)), max_size=4).map("".join)
harmless = st.lists(st.sampled_from([scrap for scrap in SCRAPS if "<" not in scrap]), max_size=4).map("".join)
name = st.sampled_from(["set_light", "now", "날씨", "items", "keys", "a-b"])
json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=4,
)
call = st.builds(ToolCall, name, st.dictionaries(name | text, json_value, max_size=3))
words = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "boolean", "array", ["string", "null"], ["array", "null"], []]),
        "description": text,
        "title": text,
        "enum": st.lists(json_value, max_size=3),
        "default": json_value,
        "minimum": st.integers(),
        "maximum": st.floats(allow_nan=False),
        "pattern": text,
        "additionalProperties": st.booleans() | st.just({"type": "string"}),
        "required": st.lists(name, max_size=2),
    },
)
schema = st.recursive(
    words | st.booleans(),
    lambda inner: st.builds(
        lambda own, children: own | children,
        words,
        st.builds(lambda items: {"items": items}, inner)
        | st.builds(lambda members: {"properties": members}, st.dictionaries(name, inner, max_size=3)),
    ),
    max_leaves=4,
)
tool = st.builds(
    Tool,
    name,
    text,
    words | st.builds(lambda p: {"type": "object", "properties": p}, st.dictionaries(name, schema, max_size=3)),
)


def assistants(content: st.SearchStrategy[str]) -> st.SearchStrategy[Message]:
    return st.builds(Message, st.just("assistant"), content, content, st.lists(call, max_size=2).map(tuple))


def conversations(content: st.SearchStrategy[str]) -> st.SearchStrategy[list[Message]]:
    others = st.builds(Message, st.sampled_from(["system", "user", "user", "tool"]), content)
    return st.lists(others | assistants(content), min_size=1, max_size=7)


def by_transformers(oracle: Any, messages: list[Message], tools: list[Tool], **settings: Any) -> Any:
    dicts = [message.to_dict() for message in messages]
    return oracle.apply_chat_template(dicts, tools=[one.to_dict() for one in tools] or None, **settings)


@given(messages=conversations(text), tools=st.lists(tool, max_size=3), thinking=st.booleans(), prompt=st.booleans())
def test_transformers_renders_the_same(
    tokenizer: Tokenizer, oracle: Any, messages: list[Message], tools: list[Tool], thinking: bool, prompt: bool
) -> None:
    settings = {"enable_thinking": thinking, "add_generation_prompt": prompt}
    for end in range(1, len(messages) + 1):  # as a conversation grows, so do its renderings
        ours = render(messages[:end], tools, **settings)
        assert by_transformers(oracle, messages[:end], tools, tokenize=False, **settings) == ours
        ids = by_transformers(oracle, messages[:end], tools, **settings)["input_ids"]
        assert ids == tokenizer.encode(ours)


def with_reasoning(messages: list[Message]) -> list[Message]:
    return [
        Message(m.role, m.content, m.reasoning_content or "음", m.tool_calls) if m.role == "assistant" else m
        for m in messages
    ]


@given(messages=conversations(text), turn=assistants(text), tools=st.lists(tool, max_size=1), thinking=st.booleans())
def test_transformers_marks_the_same_tokens_as_the_assistants(
    tokenizer: Tokenizer, oracle: Any, messages: list[Message], turn: Message, tools: list[Tool], thinking: bool
) -> None:
    messages = with_reasoning([*messages, turn])
    segments = render_for_training(messages, tools, thinking)
    assert "".join(segment for segment, _ in segments) == render(messages, tools, thinking)
    parts = [(tokenizer.encode(segment), written) for segment, written in segments]
    theirs = by_transformers(oracle, messages, tools, enable_thinking=thinking, return_assistant_tokens_mask=True)
    assert [id_ for ids, _ in parts for id_ in ids] == theirs["input_ids"]
    assert [int(written) for ids, written in parts for _ in ids] == theirs["assistant_masks"]


LIGHT = Tool(
    "set_light",
    "조명을 켜거나 끈다",
    {
        "type": "object",
        "properties": {
            "room": {"type": "string", "description": "방 이름"},
            "on": {"type": "boolean"},
            "level": {"type": "integer", "minimum": 0, "maximum": 100},
        },
        "required": ["room", "on"],
    },
)
SYSTEM, USER = Message("system", "너는 비서다."), Message("user", "거실 불 켜 줘")
CALL = Message("assistant", "", "거실이다.", (ToolCall("set_light", {"room": "거실", "on": True}),))
RESULT, DONE = Message("tool", '{"ok": true}'), Message("assistant", "켰습니다.", "끝났다.")
CALL_TEXT = '<tool_call>{"name": "set_light", "arguments": {"room": "거실", "on": true}}</tool_call>'
LIGHT_LINE = 'set_light(room:string "방 이름",on:boolean,level?:integer>=0<=100) "조명을 켜거나 끈다"'


def test_the_format_with_thinking() -> None:
    assert render([SYSTEM, USER, CALL, RESULT, RESULT, DONE], [LIGHT], enable_thinking=True) == (
        f"<|im_start|>system\n너는 비서다.\n\n# Tools\n{LIGHT_LINE}<|im_end|>\n"
        "<|im_start|>user\n거실 불 켜 줘<|im_end|>\n"
        f"<|im_start|>assistant\n<think>거실이다.</think>{CALL_TEXT}<|im_end|>\n"
        '<|im_start|>user\n<tool_response>{"ok": true}</tool_response>'
        '<tool_response>{"ok": true}</tool_response><|im_end|>\n'
        "<|im_start|>assistant\n<think>끝났다.</think>켰습니다.<|im_end|>\n"
    )


def test_the_format_without_thinking() -> None:
    assert render([USER, CALL], [LIGHT]) == (
        f"<|im_start|>system\n# Tools\n{LIGHT_LINE}<|im_end|>\n"
        "<|im_start|>user\n거실 불 켜 줘<|im_end|>\n"
        f"<|im_start|>assistant\n</think>{CALL_TEXT}<|im_end|>\n"
    )


@pytest.mark.parametrize(("thinking", "tag"), [(True, "<think>"), (False, "</think>")])
def test_the_generation_prompt_ends_in_one_tag(thinking: bool, tag: str) -> None:
    prompt = "<|im_start|>user\n거실 불 켜 줘<|im_end|>\n<|im_start|>assistant\n"
    assert render([USER], (), thinking, add_generation_prompt=True) == prompt + tag


def test_history_reasoning_is_dropped() -> None:
    text = render([USER, DONE, USER, DONE], (), enable_thinking=True)
    assert text.count("끝났다.") == 1
    assert text.index("</think>켰습니다.") < text.index("<think>끝났다.</think>켰습니다.")


def test_training_segments() -> None:
    assert render_for_training([USER, DONE, USER, DONE], (), True) == [
        ("<|im_start|>user\n거실 불 켜 줘<|im_end|>\n<|im_start|>assistant\n</think>", False),
        ("켰습니다.<|im_end|>", True),
        ("\n<|im_start|>user\n거실 불 켜 줘<|im_end|>\n<|im_start|>assistant\n<think>", False),
        ("끝났다.</think>켰습니다.<|im_end|>", True),
        ("\n", False),
    ]


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({}, "f()"),
        ({"type": "object", "properties": {}}, "f()"),
        ({"type": "object", "properties": {"a": {"enum": ["켜기", 1, None]}}}, 'f(a?:"켜기"|1|null)'),
        ({"properties": {"a": {"type": "array", "items": {"type": "string"}}}, "required": ["a"]}, "f(a:[string])"),
        ({"properties": {"a": {"type": ["string", "null"]}, "b": {}}}, "f(a?:string|null,b?:any)"),
        ({"properties": {"a": {"properties": {"x": {"type": "number"}}}}}, "f(a?:{x?:number})"),
        ({"properties": {"a": {"type": "string", "default": "C", "description": "단위"}}}, 'f(a?:string="C" "단위")'),
        ({"properties": {"items": {"type": "boolean"}}, "additionalProperties": False}, "f(items?:boolean)"),
        ({"properties": {"a": {"type": "string", "pattern": "^a"}}}, 'f(a?:{"type":"string","pattern":"^a"})'),
        ({"properties": {"a": {"type": ["array", "null"], "items": {}}}}, 'f(a?:{"type":["array","null"],"items":{}})'),
        ({"type": "object", "$ref": "#/x"}, 'f({"type":"object","$ref":"#/x"})'),
    ],
)
def test_tool_lines(parameters: dict[str, Any], line: str) -> None:
    text = render([USER], [Tool("f", "", parameters)])
    assert text.startswith(f"<|im_start|>system\n# Tools\n{line}<|im_end|>\n")


@given(data=st.data(), thinking=st.booleans())
def test_prompt_and_reply_are_the_beginning_of_what_follows(tokenizer: Tokenizer, data: Any, thinking: bool) -> None:
    """Until the next user message, the rendering only grows: by the reply as the model wrote it, by tool results."""
    messages = [data.draw(st.builds(Message, st.just("user"), text))]
    for _ in range(3):
        message = data.draw(assistants(harmless))
        if thinking and not message.reasoning_content:
            continue
        prompt = render(messages, [LIGHT], thinking, add_generation_prompt=True)
        reply = as_written(message, thinking)
        messages.append(message)
        after = render(messages, [LIGHT], thinking)
        assert after == prompt + reply + "\n"
        assert tokenizer.encode(after) == tokenizer.encode(prompt) + tokenizer.encode(reply) + tokenizer.encode("\n")
        parsed = parse(reply, thinking).to_message()
        expected = Message(
            "assistant", message.content, message.reasoning_content if thinking else "", message.tool_calls
        )
        assert parsed == expected
        messages.append(data.draw(st.builds(Message, st.just("tool"), text)))
        assert render(messages, [LIGHT], thinking).startswith(after)


def as_written(message: Message, thinking: bool) -> str:
    """The text a model writes after the generation prompt, put together by hand."""
    reasoning = message.reasoning_content + "</think>" if thinking else ""
    calls = [
        f'<tool_call>{{"name": {quoted(one.name)}, "arguments": {quoted(one.arguments)}}}</tool_call>'
        for one in message.tool_calls
    ]
    return reasoning + message.content + "".join(calls) + "<|im_end|>"


def quoted(value: Any) -> str:
    """JSON in which nothing ends the call or the turn."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"<(?=/tool_call>|\|)", lambda _: "\\u003c", text)


@given(content=harmless, thinking=st.booleans())
def test_generation_prompt_begins_the_training_text(tokenizer: Tokenizer, content: str, thinking: bool) -> None:
    prompt = render([SYSTEM, USER], [LIGHT], thinking, add_generation_prompt=True)
    segments = render_for_training([SYSTEM, USER, Message("assistant", content, "생각")], [LIGHT], thinking)
    assert segments[0] == (prompt, False)
    assert tokenizer.encode(segments[0][0])[-1] == (4 if thinking else 5)


def test_openai_forms_of_tools_and_arguments(oracle: Any) -> None:
    """A tool without its wrapper and arguments as a JSON string are what other programs send."""
    bare = LIGHT.to_dict()["function"]
    call = {"name": "set_light", "arguments": '{"room": "거실", "on": true}'}
    dicts = [
        USER.to_dict(),
        {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": call}]},
    ]
    theirs = oracle.apply_chat_template(dicts, tools=[bare], tokenize=False)
    assert theirs == render([USER, CALL], [LIGHT])
    dicts[1]["tool_calls"] = [call]
    assert oracle.apply_chat_template(dicts, tools=[bare], tokenize=False) == theirs


def test_unknown_role_is_an_error_in_transformers_too(oracle: Any) -> None:
    with pytest.raises(Exception, match="unknown role robot"):
        oracle.apply_chat_template([{"role": "robot", "content": ""}], tokenize=False)


@pytest.mark.parametrize(
    ("messages", "thinking", "error"),
    [
        ([], False, "no assistant message"),
        ([USER], False, "no assistant message"),
        ([USER, DONE, USER, Message("assistant", "네")], True, "message 3 .* no reasoning_content"),
        ([USER, CALL, RESULT, Message("assistant", "네")], True, "message 3 .* no reasoning_content"),
        ([USER, Message("assistant", "네"), RESULT, DONE], True, "message 1 .* no reasoning_content"),
    ],
)
def test_what_cannot_be_learnt_is_a_clear_error(messages: list[Message], thinking: bool, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        render_for_training(messages, (), thinking)


def test_history_needs_no_reasoning() -> None:
    segments = render_for_training([USER, Message("assistant", "네"), USER, DONE], (), True)
    assert [written for _, written in segments] == [False, True, False, True, False]


def test_no_messages_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match="at least one message"):
        render([])


def test_text_is_rendered_as_it_is() -> None:
    odd = " \n\u2028<b>&amp;{{ x }}" + unicodedata.normalize("NFD", "한글") + "\n "
    assert f"<|im_start|>user\n{odd}<|im_end|>\n" == render([Message("user", odd)])
