import dataclasses
import itertools

import pytest

from axk1.chat.template import render
from axk1.corpus.curriculum import exercises
from axk1.corpus.exercise import Call, Exercise, ToolSpec
from axk1.corpus.exercise_file import to_mapping
from axk1.data.conversation import encode, messages_of, tools_of, write_conversations
from axk1.data.shards import TokenShards
from axk1.tokenizer.special import END_THINK_ID, IM_END_ID, THINK_ID
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.tokenizer.train import train

LIGHT = ToolSpec("light", "불", {"room": {"type": "string"}, "level": {"type": "integer", "default": 3}})
CALL = Exercise("t", "ko", "거실 불 켜", "거실이다.", "", Call("light", {"room": "거실"}), (LIGHT,), "집을 돕는다.")


@pytest.fixture(scope="module")
def drawn() -> list[Exercise]:
    return [CALL, *itertools.islice(exercises(0, "train"), 300)]


@pytest.fixture(scope="module")
def tokenizer(drawn) -> Tokenizer:
    return train([f"{one.question}\n{one.reasoning}\n{one.answer}" for one in drawn], 600)


def test_an_exercise_becomes_messages_and_tools():
    system, user, assistant = messages_of(CALL)
    assert (system.role, system.content) == ("system", "집을 돕는다.")
    assert (user.role, user.content) == ("user", "거실 불 켜")
    assert (assistant.content, assistant.reasoning_content) == ("", "거실이다.")
    assert [(call.name, call.arguments) for call in assistant.tool_calls] == [("light", {"room": "거실"})]
    (tool,) = tools_of(CALL)
    assert tool.parameters["required"] == ["room"]
    assert tool.parameters["properties"] == LIGHT.parameters


@pytest.mark.parametrize("thinking", [True, False])
def test_the_ids_are_those_of_prompt_and_reply_and_the_mask_is_the_reply(thinking, drawn, tokenizer):
    for exercise, sample in zip(drawn, encode(drawn, [thinking] * len(drawn), tokenizer), strict=True):
        prompt = render(messages_of(exercise)[:-1], tools_of(exercise), thinking, add_generation_prompt=True)
        prompt_ids = tokenizer.encode(prompt)
        whole = tokenizer.encode(render(messages_of(exercise), tools_of(exercise), thinking).removesuffix("\n"))
        assert sample.ids.tolist() == whole
        assert sample.ids[: len(prompt_ids)].tolist() == prompt_ids
        assert sample.loss_mask.tolist() == [False] * len(prompt_ids) + [True] * (len(whole) - len(prompt_ids))
        assert prompt_ids[-1] == (THINK_ID if thinking else END_THINK_ID)
        assert sample.ids[-1] == IM_END_ID
        reply = tokenizer.decode(sample.ids[sample.loss_mask].tolist())
        assert reply.startswith(f"{exercise.reasoning}</think>{exercise.answer}" if thinking else exercise.answer)


def test_samples_do_not_depend_on_what_is_encoded_with_them(drawn, tokenizer):
    thinking = [number % 3 == 0 for number in range(len(drawn))]
    together = encode(drawn, thinking, tokenizer)
    for number in range(0, len(drawn), 29):
        (alone,) = encode([drawn[number]], [thinking[number]], tokenizer)
        assert alone.ids.tolist() == together[number].ids.tolist()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_that_thinks_and_the_report(share, drawn, tokenizer, tmp_path):
    report = write_conversations(drawn, tokenizer, tmp_path / "s", share)
    shards = TokenShards.open(tmp_path / "s")
    masks = [shards.loss_mask(i) for i in range(len(shards))]
    thinking = [THINK_ID in shards.document(i) for i in range(len(shards))]
    assert report.conversations == len(shards) == len(drawn)
    assert report.thinking == sum(thinking)
    assert abs(sum(thinking) - share * len(drawn)) <= 5 * (share * (1 - share) * len(drawn)) ** 0.5
    assert report.tokens == sum(map(len, masks))
    assert report.trained_tokens == sum(int(mask.sum()) for mask in masks)
    expected = encode(drawn, thinking, tokenizer)
    assert [sample.ids.tolist() for sample in expected] == [shards.document(i).tolist() for i in range(len(shards))]
    assert [sample.loss_mask.tolist() for sample in expected] == [mask.tolist() for mask in masks]


def test_a_share_outside_0_to_1_is_refused(tokenizer, tmp_path):
    with pytest.raises(ValueError, match="thinking_share must be from 0 to 1, found 2"):
        write_conversations([CALL], tokenizer, tmp_path / "s", 2)


def test_two_processes_write_the_same_files(drawn, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr("axk1.data.conversation._CHUNK", 50)
    seen: list[int] = []
    write_conversations(drawn, tokenizer, tmp_path / "one")
    write_conversations(drawn, tokenizer, tmp_path / "two", processes=2, progress=lambda done, _: seen.append(done))
    assert seen == [50, 100, 150, 200, 250, 300, 301]
    for name in ("tokens", "offsets", "loss", "bytes"):
        assert (tmp_path / f"one/{name}.bin").read_bytes() == (tmp_path / f"two/{name}.bin").read_bytes()


def test_an_error_in_another_process_is_raised_here_and_leaves_nothing(tokenizer, tmp_path):
    silent = dataclasses.replace(CALL, reasoning="")
    assert to_mapping(silent)["reasoning"] == ""
    with pytest.raises(ValueError, match="thinking is on, but message 2"):
        write_conversations([silent], tokenizer, tmp_path / "s", thinking_share=1.0, processes=2)
    assert list(tmp_path.iterdir()) == []
