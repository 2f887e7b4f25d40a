"""From tokens to events: whatever a model writes, however its steps cut it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axk1.chat.parser import parse
from axk1.engine.output import Delta
from axk1.engine.sampler import Logprob
from axk1.engine.stop import TextStream
from axk1.server.calls import ContentPart, Event, Finished, ReasoningPart, ToolArguments, ToolCallBegin
from axk1.server.engine.choice import ChatChoice, TextChoice
from axk1.tokenizer.tokenizer import Tokenizer
from server.answers import TAGS

CALL = '{"name": "light", "arguments": {"on": "</b>}\\"{", "more": [{}, {"x": 1}]}}'
PARTS = ["불", "거실 ", " ", "\n", "<", "</", "tool", "_call>", "{}", '"', "light", "한글 어", CALL, *TAGS]
BROKEN = [b"\xec", b"\xec\x96", b"\xb4", b"\xff", b"\x96\xb4"]
settings.register_profile("choices", deadline=None, max_examples=150)
settings.load_profile("choices")


def written(tokenizer: Tokenizer, parts: Sequence[tuple[str | bytes, bool]]) -> list[int]:
    """The ids of parts; a tag is its token, or spelt in plain ones."""
    ids: list[int] = []
    for part, spelt in parts:
        ids += tokenizer.encode_bytes(part) if isinstance(part, bytes) else tokenizer.encode(part, not spelt)
    return ids


def deltas(tokenizer: Tokenizer, ids: Sequence[int], stops: Sequence[str] = ()) -> list[Delta]:
    """What the engine gives for these tokens; the last one ends a turn."""
    text, made = TextStream(tokenizer, stops), list[Delta]()
    for token in ids:
        piece = text.push(token)
        ended = text.found is not None
        chances = ({token: Logprob(-1.0, 1)},)
        made.append(Delta(piece, (token,), chances, "stop" if ended else None, text.found))
        if ended:
            return made
    return [*made, Delta(text.flush(), (1,), ({1: Logprob(-1.0, 1)},), "stop", text.found)]


def events(tokenizer: Tokenizer, made: Sequence[Delta], sizes: Sequence[int], thinking: bool) -> list[Event]:
    """Of the deltas in groups of these sizes, over and over."""
    choice = ChatChoice(0, tokenizer, thinking, 0, {"light"})
    found: list[Event] = []
    place = turn = 0
    while place < len(made):
        found += choice.events(made[place : place + sizes[turn % len(sizes)]])
        place, turn = place + sizes[turn % len(sizes)], turn + 1
    assert choice.completion == len(made)
    return found


def joined(found: Sequence[Event]) -> tuple[str, str, list[tuple[int, str, str]], bytes]:
    reasoning = "".join(event.text for event in found if isinstance(event, ReasoningPart))
    content = "".join(event.text for event in found if isinstance(event, ContentPart))
    data = b"".join(one.data for event in found if isinstance(event, ContentPart) for one in event.scores)
    calls = [
        (
            begin.index,
            begin.name,
            "".join(e.text for e in found if isinstance(e, ToolArguments) and e.index == begin.index),
        )
        for begin in found
        if isinstance(begin, ToolCallBegin)
    ]
    return reasoning, content, calls, data


parts = st.lists(st.tuples(st.sampled_from([*PARTS, *BROKEN]), st.booleans()), max_size=12)
groups = st.lists(st.integers(1, 7), min_size=1, max_size=4)


@given(parts, groups, st.booleans(), st.lists(st.sampled_from(["불", "거실 ", "어", "tool", "</"]), max_size=1))
def test_whatever_is_written(
    tokenizer: Tokenizer, parts: list[tuple[str | bytes, bool]], sizes: list[int], thinking: bool, stops: list[str]
) -> None:
    made = deltas(tokenizer, written(tokenizer, parts), stops)
    found = events(tokenizer, made, sizes, thinking)
    reasoning, content, calls, data = joined(found)
    assert (reasoning, content, calls, data) == joined(events(tokenizer, made, [1], thinking)), "as it comes one by one"
    assert data.decode() == content
    wanted = parse("".join(delta.text for delta in made), thinking)
    assert (reasoning, content) == (wanted.reasoning, wanted.content)
    assert "\ufffd" not in content + reasoning
    assert not [tag for tag in TAGS if tag in content]
    assert {name for _, name, _ in calls} <= {"light"}
    assert isinstance(found[-1], Finished)
    assert found[-1].reason == ("tool_calls" if calls else "stop")
    assert sum(isinstance(event, Finished) for event in found) == 1


@pytest.mark.parametrize("spelt", [False, True])
def test_a_call_is_read_however_its_tags_are_written(tokenizer: Tokenizer, spelt: bool) -> None:
    ids = written(tokenizer, [("네. ", False), ("<tool_call>", spelt), (CALL, True), ("</tool_call>", spelt)] * 2)
    for size in (1, 3, 1000):
        _, content, calls, _ = joined(events(tokenizer, deltas(tokenizer, ids), [size], thinking=False))
        assert content == "네. 네. "
        assert [(index, name) for index, name, _ in calls] == [(0, "light"), (1, "light")]
        assert [json.loads(arguments) for _, _, arguments in calls] == [json.loads(CALL)["arguments"]] * 2
        assert calls[0][2] in CALL, "as it was written"


def test_the_name_is_told_before_the_arguments_end(tokenizer: Tokenizer) -> None:
    half = '<tool_call>{"name": "light", "arguments": {"on": tr'
    choice = ChatChoice(0, tokenizer, False, None, {"light"})
    found = [one for delta in deltas(tokenizer, tokenizer.encode(half))[:-1] for one in choice.events([delta])]
    assert isinstance(found[0], ToolCallBegin)
    assert joined(found)[2] == [(0, "light", '{"on": tr')]


@pytest.mark.parametrize(
    "broken",
    [
        "<tool_call>이건 JSON이 아니에요</tool_call>",
        '<tool_call>{"name": "other", "arguments": {"a": 1}}</tool_call>',
        '<tool_call>{"arguments": {}}</tool_call>',
        '<tool_call>{"name": "light", "arguments": 3}</tool_call>',
        '<tool_call>{"name": "\\ud800", "arguments": {}}</tool_call>',
        "<tool_call>{",
        "</tool_call>",
    ],
)
def test_what_is_no_call_of_an_offered_tool_is_left_out(tokenizer: Tokenizer, broken: str) -> None:
    made = deltas(tokenizer, tokenizer.encode("네." + broken))
    assert joined(events(tokenizer, made, [1], thinking=False)) == ("", "네.", [], "네.".encode())
    assert events(tokenizer, made, [1], thinking=False)[-1] == Finished(0, "stop")


def test_reasoning_is_counted_up_to_its_end(tokenizer: Tokenizer) -> None:
    for text, wanted in [("생각</think>답", tokenizer.encode("생각")), ("생각만", tokenizer.encode("생각만"))]:
        choice = ChatChoice(0, tokenizer, True, None, ())
        choice.events(deltas(tokenizer, tokenizer.encode(text))[:-1])
        assert choice.reasoning == len(wanted)


@given(parts, groups, st.lists(st.sampled_from(["불", "거실 ", "어"]), max_size=1))
def test_scores_of_a_text_are_those_of_all_its_tokens(
    tokenizer: Tokenizer, parts: list[tuple[str | bytes, bool]], sizes: list[int], stops: list[str]
) -> None:
    made = deltas(tokenizer, written(tokenizer, parts), stops)
    choice = TextChoice(0, tokenizer, 0)
    found: list[Event] = []
    while made:
        found += choice.events(made[: sizes[0]])
        made, sizes = made[sizes[0] :], [*sizes[1:], sizes[0]]
    _, content, _, data = joined(found)
    assert data.decode() == content
    assert sum(len(event.scores) for event in found if isinstance(event, ContentPart)) == choice.completion


def test_a_token_whose_last_bytes_are_dropped_keeps_its_score(tokenizer: Tokenizer) -> None:
    """A tag cuts a character off that such a token had begun."""
    cut = next(id_ for id_, data in enumerate(tokenizer.token_bytes) if 0 < len(_text(data)) < len(data))
    ids = [cut, tokenizer.named_ids["<tool_response>"], *tokenizer.encode("네")]
    for size in (1, 9):
        _, content, _, data = joined(events(tokenizer, deltas(tokenizer, ids), [size], thinking=False))
        assert data.decode() == content == _text(tokenizer.token_bytes[cut]).decode() + "네"


def _text(data: bytes) -> bytes:
    """Without the bytes that are no characters."""
    return data.decode("utf-8", "ignore").encode()
