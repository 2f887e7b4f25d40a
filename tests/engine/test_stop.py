"""Stop texts and half characters never reach a reader, however the text is cut."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1 import Engine
from axk1.chat.sampling import GREEDY
from axk1.checkpoint import CheckpointError, CheckpointFolder
from axk1.engine.stop import StopText, TextStream, eos_ids
from axk1.tokenizer.special import IM_END_ID, THINK_ID
from axk1.tokenizer.tokenizer import Tokenizer

ABC = st.text("abc", max_size=12)


@given(pieces=st.lists(st.text("abc", max_size=4)), stops=st.lists(st.text("abc", min_size=1, max_size=4), max_size=3))
def test_the_text_ends_at_the_first_stop_text(pieces: list[str], stops: list[str]) -> None:
    """However it is cut: what comes out is what a search in the whole text would leave, and never too early."""
    stream, seen, text = StopText(stops), "", ""
    for piece in pieces:
        if stream.found is None:
            text += piece
        seen += stream.push(piece)
        whole = text[: min((text.find(stop) for stop in stops if stop in text), default=len(text))]
        assert whole.startswith(seen)
        if stream.found is None:
            assert not any(stop in text for stop in stops)
            held = text[len(seen) :]
            assert not held or any(stop.startswith(held) for stop in stops), "held back for no reason"
    seen += stream.flush()
    assert seen == whole if pieces else seen == ""


def test_of_two_stop_texts_the_earlier_one_ends() -> None:
    stream = StopText(["끝", "그만"])
    assert stream.push("가나 그") == "가나 "
    assert stream.push("만 끝") == ""
    assert stream.found == "그만"
    assert stream.push("more") == stream.flush() == ""


def test_no_reader_sees_half_a_character(tokenizer: Tokenizer) -> None:
    text = "거실 😀 불 ᄀ"
    data = text.encode()
    for stops in ([], ["없는 말"]):
        stream = TextStream(tokenizer, stops)
        pieces = [stream.push(tokenizer.encode_bytes(data[place : place + 1])[0]) for place in range(len(data))]
        assert "".join(pieces) == text[:-1], "a lone initial consonant may still become a syllable"
        assert not any("\ufffd" in piece for piece in pieces)
        assert stream.flush() == "ᄀ"


def test_bytes_that_never_become_a_character_are_left_out(tokenizer: Tokenizer) -> None:
    stream = TextStream(tokenizer, ["켜줘"])
    broken = "켜".encode() + "불".encode()[:2] + "줘".encode()
    seen = "".join(stream.push(id_) for id_ in tokenizer.encode_bytes("꺼".encode()[:1] + "네 ".encode() + broken))
    assert seen + stream.flush() == "네 "
    assert stream.found == "켜줘", "a stop text is found in what is seen, not in what is not"


def test_control_tokens_and_padding_have_no_text(tokenizer: Tokenizer) -> None:
    stream = TextStream(tokenizer, [])
    (letter,) = tokenizer.encode_bytes(b"a")
    assert [stream.push(id_) for id_ in (letter, IM_END_ID, THINK_ID, tokenizer.vocab_size + 3)] == [
        "a",
        "",
        "<think>",
        "",
    ]


@pytest.fixture
def engine(talking: Any) -> Any:
    with Engine.open(talking.path, backend="reference") as opened:
        yield opened


def test_a_stop_text_across_token_borders_ends_a_completion(engine: Engine, talking: Any) -> None:
    params = replace(GREEDY, max_tokens=40, ignore_eos=True)
    (free,) = engine.generate("거실 불을", params)
    assert list(free.token_ids) == talking.greedy(engine.tokenizer.encode("거실 불을"), 40)  # type: ignore[union-attr]
    assert free.text
    for size in (1, 2, 3, 5):
        stop = free.text[8 : 8 + size]
        for output in (
            engine.generate("거실 불을", replace(params, stop=[stop, "not there"]))[0],
            engine.stream("거실 불을", replace(params, stop=stop)).output(),
        ):
            assert output.text == free.text[: free.text.find(stop)]
            assert (output.finish_reason, output.stop_reason) == ("stop", stop)
            assert free.token_ids[: len(output.token_ids)] == output.token_ids
            assert len(output.token_ids) < 40


def test_text_held_back_comes_out_when_nothing_follows(engine: Engine) -> None:
    params = replace(GREEDY, max_tokens=40, ignore_eos=True)
    (free,) = engine.generate("거실 불을", params)
    (output,) = engine.generate("거실 불을", replace(params, stop=[free.text[-3:] + "없는 말"]))
    assert (output.text, output.finish_reason, output.stop_reason) == (free.text, "length", None)


def test_streamed_text_is_the_text(engine: Engine) -> None:
    params = replace(GREEDY, max_tokens=40, ignore_eos=True)
    (whole,) = engine.generate("거실 불을", params)
    assert "".join(delta.text for delta in engine.stream("거실 불을", params)) == whole.text


def test_ends_come_from_the_generation_config(talking: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(talking.path, tmp_path / "copy")
    path = folder / "generation_config.json"
    for value, expected in (([5, 6], {5, 6}), (7, {7}), (None, {1})):
        path.write_text(json.dumps({"eos_token_id": value}), encoding="utf-8")
        assert eos_ids(CheckpointFolder(folder)) == expected
    path.unlink()
    assert eos_ids(CheckpointFolder(folder)) == {1}
    for broken in ("{", "[]", '{"eos_token_id": "end"}'):
        path.write_text(broken, encoding="utf-8")
        with pytest.raises(CheckpointError, match=r"generation_config\.json"):
            eos_ids(CheckpointFolder(folder))
