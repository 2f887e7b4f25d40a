"""`axk1 chat` on the engine: plain and quantised folders, no torch, replies that are stopped."""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from axk1.chat.sampling import SamplingParams
from axk1.cli import main
from axk1.cli.chat import SAMPLES, _talk
from axk1.cli.engine import open_engine
from axk1.cli.talk import Talk
from axk1.engine.engine import Engine
from axk1.tokenizer.tokenizer import Tokenizer


@pytest.fixture
def engine(small_model: Path) -> Iterator[Engine]:
    with open_engine(small_model) as opened:
        yield opened


def talk_of(engine: Engine, tokenizer: Tokenizer, count: int = 8, temperature: float = 0.0) -> Talk:
    options = argparse.Namespace(max_new_tokens=count, seed=5, system="", think=False, tools=None)
    return _talk(engine, tokenizer, SamplingParams(temperature, 1.0, 5, max_tokens=count), options)


@pytest.mark.parametrize("folder", ["small_model", "small_int4"])
def test_a_question_is_answered_without_torch(folder: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(folder)
    code = "import sys; sys.modules['torch'] = None; from axk1.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "chat", str(path), "--ask", "불 켜 줘", "--max-new-tokens", "6", "--think"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("> 불 켜 줘\n")
    assert len(done.stdout) > len("> 불 켜 줘\n")


def test_samples_are_answered_where_there_is_no_terminal(small_int4: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--max-new-tokens", "4", "--backend", "reference", "--memory", "8M", "--threads", "1"]
    assert main(["--lang", "en", "chat", str(small_int4), *options]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("No terminal")
    assert shown.count("\n> ") == len(SAMPLES)


def test_a_reply_is_the_likeliest_continuation(engine: Engine, small_tokenizer: Tokenizer) -> None:
    talk = talk_of(engine, small_tokenizer)
    prompt = small_tokenizer.encode("거실 불을")
    ends = engine.config.special_token_ids
    (output,) = engine.generate([prompt], SamplingParams(0.0, 1.0, max_tokens=8, stop_token_ids=ends))
    wanted = [one for one in output.token_ids if one not in ends and one < small_tokenizer.vocab_size]
    assert list(talk.stream(prompt)) == wanted
    assert wanted


def test_the_end_of_a_turn_is_not_part_of_the_reply(engine: Engine, small_tokenizer: Tokenizer) -> None:
    prompt = small_tokenizer.encode("거실 불을")
    biased = SamplingParams(0.0, max_tokens=8, logit_bias={1: 100.0})
    options = argparse.Namespace(max_new_tokens=8, seed=0, system="", think=False, tools=None)
    assert list(_talk(engine, small_tokenizer, biased, options).stream(prompt)) == []


def test_ids_that_no_text_has_are_left_out(engine: Engine, small_tokenizer: Tokenizer) -> None:
    beyond = engine.config.vocab_size - 1
    assert beyond >= small_tokenizer.vocab_size
    biased = SamplingParams(0.0, max_tokens=3, logit_bias={beyond: 100.0})
    options = argparse.Namespace(max_new_tokens=3, seed=0, system="", think=False, tools=None)
    talk = _talk(engine, small_tokenizer, biased, options)
    assert list(talk.say("불 켜 줘")) == []


def test_each_turn_draws_anew_and_a_seed_repeats_the_conversation(engine: Engine, small_tokenizer: Tokenizer) -> None:
    prompt = small_tokenizer.encode("거실 불을")
    first, again = (talk_of(engine, small_tokenizer, 12, temperature=5.0) for _ in range(2))
    turns = [list(first.stream(prompt)) for _ in range(2)]
    assert turns[0] != turns[1]
    assert [list(again.stream(prompt)) for _ in range(2)] == turns


def test_a_stopped_reply_leaves_nothing_running(engine: Engine, small_tokenizer: Tokenizer) -> None:
    talk = talk_of(engine, small_tokenizer, 400)
    reply = talk.say("거실 불을 켜 줘")
    list(islice(reply, 1))
    reply.close()  # type: ignore[attr-defined]
    assert talk.messages == []
    (output,) = engine.generate(["거실"], SamplingParams(0.0, max_tokens=2))  # served at once: nothing is before it
    assert len(output.token_ids) <= 2
    assert not engine._loop._scheduler.busy


def test_a_later_turn_reads_only_what_is_new(engine: Engine, small_tokenizer: Tokenizer) -> None:
    first, second = (small_tokenizer.encode("거실 불을 켜 줘. " * count) for count in (12, 16))
    greedy = SamplingParams(0.0, max_tokens=1)
    (cold,) = engine.generate([first], greedy)
    (warm,) = engine.generate([second], greedy)
    assert cold.cached_tokens == 0
    assert warm.cached_tokens >= len(first) - 16  # its whole blocks


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--temperature", "-1"], "temperature must be 0 or more"),
        (["--top-p", "0"], "top_p must be above 0"),
        (["--max-new-tokens", "9999"], "leaves no room: the context is 512 tokens"),
        (["--backend", "warp"], "unknown engine_backend 'warp'"),
        (["--memory", "much"], "memory must be a size"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], message: str, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--lang", "en", "chat", str(small_model), "--ask", "안녕", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
