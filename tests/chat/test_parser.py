import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.chat.messages import Reply, ToolCall
from axk1.chat.parser import Content, Event, Malformed, Reasoning, StreamParser, parse

LIGHT = '<tool_call>{"name": "set_light", "arguments": {"room": "거실", "on": true}}</tool_call>'
CALL = ToolCall("set_light", {"room": "거실", "on": True})


@pytest.mark.parametrize(
    ("text", "thinking", "reply"),
    [
        ("안녕하세요.<|im_end|>", False, Reply("", "안녕하세요.")),
        ("안녕하세요.", False, Reply("", "안녕하세요.")),
        ("음\n</think>안녕 <|im_end|>\n<|im_start|>user", True, Reply("음\n", "안녕 ")),
        ("</think>안녕", True, Reply("", "안녕")),
        (LIGHT + "<|im_end|>", False, Reply("", "", (CALL,))),
        (f"켠다.</think>네\n{LIGHT}\n{LIGHT}\n<|im_end|>", True, Reply("켠다.", "네\n", (CALL, CALL))),
        (f"{LIGHT} \n그리고 {LIGHT}", False, Reply("", " \n그리고 ", (CALL, CALL))),
        (f"{LIGHT[:11]}\n{LIGHT[11:-12]}\n</tool_call>", False, Reply("", "", (CALL,))),
        ("1 < 2, a</b>, <thinking>, <tool_calls", False, Reply("", "1 < 2, a</b>, <thinking>, <tool_calls")),
        (f"도구 {LIGHT} 를 쓸까?</think>", True, Reply(f"도구 {LIGHT} 를 쓸까?")),
        ("", False, Reply()),
        ("<|endoftext|>뒤", False, Reply()),
    ],
)
def test_replies(text: str, thinking: bool, reply: Reply) -> None:
    assert parse(text, thinking) == reply


@pytest.mark.parametrize(
    ("text", "thinking", "reply", "reason"),
    [
        ("음", True, Reply("음"), "no </think>"),
        ("음<|im_end|>", True, Reply("음"), "no </think>"),
        ("음<think>흠</think>답", True, Reply("음흠", "답"), "<think> where"),
        ("<think>음</think>답", False, Reply("", "음답"), "<think> where.*; </think> where"),
        ("답<tool_response>1</tool_response>", False, Reply("", "답1"), "<tool_response> where"),
        ("답<|im_start|>", False, Reply("", "답"), r"<\|im_start\|> where"),
        ("답</tool_call>", False, Reply("", "답"), "</tool_call> where"),
        ("네<tool_call>{켜}</tool_call>끝", False, Reply("", "네끝"), r"not JSON .*\{켜\}"),
        ("<tool_call>[1]</tool_call>", False, Reply(), "no name"),
        ('<tool_call>{"arguments": {}}</tool_call>', False, Reply(), "no name"),
        ('<tool_call>{"name": 1, "arguments": {}}</tool_call>', False, Reply(), "no name"),
        ('<tool_call>{"name": "f"}</tool_call>', False, Reply(), "not an object"),
        ('<tool_call>{"name": "f", "arguments": "{}"}</tool_call>', False, Reply(), "not an object"),
        ('<tool_call>{"name": "f", "arguments": {"a": NaN}}</tool_call>', False, Reply(), "NaN is not JSON"),
        ('<tool_call>{"name": "f", "arguments": {"a": "\\ud800"}}</tool_call>', False, Reply(), "not JSON"),
        ("<tool_call>" + "[" * 100_000 + "</tool_call>", False, Reply(), "not JSON"),
        (LIGHT[:-12], False, Reply(), "no </tool_call>"),
        (LIGHT[:-12] + "<|im_end|>", False, Reply(), "no </tool_call>"),
    ],
    ids=range(18),
)
def test_broken_replies_say_why(text: str, thinking: bool, reply: Reply, reason: str) -> None:
    parsed = parse(text, thinking)
    assert (parsed.reasoning, parsed.content, parsed.tool_calls) == (reply.reasoning, reply.content, reply.tool_calls)
    with pytest.raises(ValueError, match=reason):
        raise ValueError(parsed.malformed)


def events_of(pieces: list[str], thinking: bool) -> list[list[Event]]:
    parser = StreamParser(thinking)
    return [*[parser.push(piece) for piece in pieces], parser.close()]


def joined(events: list[Event]) -> list[Event]:
    """Neighbouring pieces of text as one."""
    whole: list[Any] = []
    for event in events:
        if whole and isinstance(event, Content | Reasoning) and type(event) is type(whole[-1]):
            whole[-1] = type(event)(whole[-1].text + event.text)
        else:
            whole.append(event)
    return whole


TAGS = ["<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "<|im_end|>"]
scraps = st.sampled_from([*TAGS, "<", "</", "<|", "think>", " ", "\n", "가", "답은 46", "a < b", LIGHT, "{}"])


@given(pieces=st.lists(scraps), cuts=st.data(), thinking=st.booleans())
def test_how_the_text_is_cut_makes_no_difference(pieces: list[str], cuts: Any, thinking: bool) -> None:
    text = "".join(pieces)
    whole = joined([event for events in events_of([text], thinking) for event in events])
    cut = sorted(cuts.draw(st.lists(st.integers(0, len(text)))))
    parts = [text[start:end] for start, end in zip([0, *cut], [*cut, len(text)], strict=True)]
    for split in (parts, list(text), pieces):
        assert joined([event for events in events_of(split, thinking) for event in events]) == whole


untagged = st.text(st.characters(codec="utf-8", exclude_characters="<"))


@given(reasoning=untagged, content=untagged, calls=st.lists(st.just(CALL), max_size=2), thinking=st.booleans())
def test_what_was_put_together_is_taken_apart(
    reasoning: str, content: str, calls: list[ToolCall], thinking: bool
) -> None:
    written = [json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False) for call in calls]
    text = (reasoning + "</think>" if thinking else "") + content
    text += "".join(f"<tool_call>{call}</tool_call>" for call in written) + "<|im_end|>"
    assert parse(text, thinking) == Reply(reasoning if thinking else "", content, tuple(calls))


def test_events_come_as_soon_as_they_are_certain() -> None:
    pieces = [
        "거실",
        "이다<",
        "b></th",
        "ink>네",
        " <tool",
        "_call>{",
        '"name": "f", "arguments": {}',
        "}</tool_call",
        ">",
        "\n",
        "끝",
    ]
    assert events_of(pieces, thinking=True) == [
        [Reasoning("거실")],
        [Reasoning("이다")],
        [Reasoning("<b>")],
        [Content("네")],
        [Content(" ")],
        [],
        [],
        [],
        [ToolCall("f", {})],
        [],
        [Content("\n끝")],
        [],
    ]


def test_a_tag_that_never_comes_is_text() -> None:
    assert events_of(["네<tool_c"], thinking=False) == [[Content("네")], [Content("<tool_c")]]


def test_nothing_after_the_end_counts() -> None:
    assert events_of(["네<|im_end|>", "<tool_call>"], thinking=False) == [[Content("네")], [], []]


def test_malformed_is_an_event() -> None:
    events = [event for part in events_of(["<tool_call>{", "</tool_call>"], thinking=False) for event in part]
    assert [type(event) for event in events] == [Malformed]
