"""`axk1 chat`: talk with a model in the terminal; without one, it answers a few sample questions and ends."""

import argparse
import itertools
import json
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from prompt_toolkit import PromptSession
from rich.console import Console

from axk1.chat.messages import Message, Tool
from axk1.chat.sampling import SamplingParams
from axk1.cli.engine import add_engine_options, engine_options, open_engine
from axk1.cli.shell import Shell, print_reply
from axk1.cli.talk import Talk
from axk1.cli.words import Words
from axk1.corpus.curriculum import FAMILIES
from axk1.data.conversation import messages_of, tools_of
from axk1.engine.engine import Engine
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["chat"]

# The families whose questions are answered where there is no terminal, and whether with thinking.
SAMPLES = (
    ("identity", False),
    ("smalltalk", False),
    ("tools", False),
    ("sum2", False),
    ("word2", True),
    ("reading", True),
)


def chat(argv: list[str], say: Words) -> int:
    """Talk with the model of a folder."""
    options = _parser(say).parse_args(argv)
    console = Console(highlight=False)
    params = SamplingParams(options.temperature, options.top_p, options.seed, max_tokens=options.max_new_tokens)
    tokenizer = Tokenizer.load(options.folder)
    with open_engine(options.folder, engine_options(options)) as engine:
        talk = _talk(engine, tokenizer, params, options)
        if options.ask:
            _answer(talk, options.ask, console, say)
        elif sys.stdin.isatty() and sys.stdout.isatty():
            Shell(talk, console, say, options.seed).run(PromptSession())
        else:
            _show_samples(talk, console, say)
    return 0


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="axk1 chat", description=say("모델과 대화하기", "talk with a model"))
    add = parser.add_argument
    add("folder", nargs="?", type=Path, default=Path("runs/nano/model"), help=say("모델 폴더", "the model's folder"))
    add("--think", action="store_true", help=say("생각하고 답하기", "reason before answering"))
    add("--system", default="", help=say("시스템 메시지", "a system message"))
    add(
        "--tools",
        type=Path,
        metavar="JSON",
        help=say("쓸 수 있는 도구 (JSON Schema 목록)", "tools on offer, as a JSON list"),
    )
    add(
        "--ask",
        action="append",
        metavar="TEXT",
        help=say("이 말에만 답하고 끝내기", "answer this and end; may be repeated"),
    )
    add("--temperature", type=float, default=0.0, help=say("0이면 항상 가장 그럴듯한 말", "0 = always the likeliest"))
    add("--top-p", type=float, default=1.0)
    add("--seed", type=int, default=0)
    add("--max-new-tokens", type=int, default=512, metavar="N")
    add_engine_options(parser, say)
    return parser


def _talk(engine: Engine, tokenizer: Tokenizer, params: SamplingParams, options: argparse.Namespace) -> Talk:
    context = engine.context - options.max_new_tokens
    if context <= 0:
        longest = engine.context
        raise ValueError(f"--max-new-tokens {options.max_new_tokens} leaves no room: the context is {longest} tokens")
    params = replace(params, stop_token_ids=engine.config.special_token_ids)
    seeds = itertools.count(options.seed)

    def stream(prompt: list[int]) -> Iterator[int]:
        with engine.stream(prompt, replace(params, seed=next(seeds))) as deltas:
            for delta in deltas:
                said = delta.token_ids[: -1 if delta.finish_reason == "stop" else None]
                yield from (token for token in said if token < tokenizer.vocab_size)  # a head may be padded

    messages = [Message("system", options.system)] if options.system else []
    return Talk(tokenizer, stream, context, options.think, _tools(options.tools), messages)


def _tools(path: Path | None) -> tuple[Tool, ...]:
    if path is None:
        return ()
    values = json.loads(path.read_text(encoding="utf-8"))
    try:
        return tuple(Tool(one["name"], one.get("description", ""), one["parameters"]) for one in values)
    except (TypeError, KeyError) as error:
        raise ValueError(f"{path}: a list of objects with name, description and parameters is wanted") from error


def _answer(talk: Talk, questions: Iterable[str], console: Console, say: Words) -> None:
    for question in questions:
        console.print(f"> {question}", style="bold", markup=False)
        print_reply(talk.say(question), console, say)


def _show_samples(talk: Talk, console: Console, say: Words) -> None:
    """Held-out exercises of a few families."""
    console.print(say("터미널이 아니므로 예시 질문에 답합니다.", "No terminal: answering sample questions."))
    for seed, (family, thinking) in enumerate(SAMPLES):
        exercise = FAMILIES[family].make(random.Random(seed), "held_out")
        messages = list(messages_of(exercise)[:-2])  # a system message or none; the question is asked below
        about = replace(talk, thinking=thinking, tools=tools_of(exercise), messages=messages)
        _answer(about, [exercise.question], console, say)
