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

from axk1.chat.messages import Message, Tool, ToolCall
from axk1.chat.parser import Event, Malformed, Reasoning
from axk1.cli.machine import load_model
from axk1.cli.talk import Talk
from axk1.cli.words import Words
from axk1.corpus.curriculum import FAMILIES
from axk1.corpus.exercise import Exercise
from axk1.model.generate import Generator
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["chat"]

SAMPLES = 6  # questions that are answered where there is no terminal


def chat(argv: list[str], say: Words) -> int:
    """Talk with the model of a folder."""
    options = _parser(say).parse_args(argv)
    console = Console(highlight=False)
    talk = _talk(options, say, console)
    if options.ask:
        _answer(talk, options.ask, console, say)
    elif sys.stdin.isatty() and sys.stdout.isatty():
        _converse(talk, console, say)
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
    return parser


def _talk(options: argparse.Namespace, say: Words, console: Console) -> Talk:
    tokenizer = Tokenizer.load(options.folder)
    model = load_model(options.folder, say, console)
    generator, eos = Generator(model), frozenset(model.config.special_token_ids)
    turn = itertools.count(options.seed)

    def stream(prompt: list[int]) -> Iterator[int]:
        return generator.stream(prompt, options.max_new_tokens, eos, options.temperature, options.top_p, next(turn))

    context = model.config.max_position_embeddings - options.max_new_tokens
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
        _print_reply(talk.say(question), console, say)


def _show_samples(talk: Talk, console: Console, say: Words) -> None:
    """Held-out exercises, one family each, without and with thinking."""
    console.print(say("터미널이 아니므로 예시 질문에 답합니다.", "No terminal: answering sample questions."))
    names = list(FAMILIES)
    for number, name in enumerate(names[:: max(1, len(names) // SAMPLES)][:SAMPLES]):
        exercise = FAMILIES[name].make(random.Random(number), "held_out")
        _answer(_about(talk, exercise, thinking=number % 2 == 1), [exercise.question], console, say)


def _about(talk: Talk, exercise: Exercise, thinking: bool) -> Talk:
    """A new conversation set up as the exercise wants it."""
    tools = tuple(Tool(tool.name, tool.description, tool.parameters) for tool in exercise.tools)
    system = [Message("system", exercise.system)] if exercise.system else []
    return replace(talk, thinking=thinking, tools=tools, messages=system)


def _converse(talk: Talk, console: Console, say: Words) -> None:
    session: PromptSession[str] = PromptSession()
    console.print(_help(say))
    while True:
        try:
            text = session.prompt("> ").strip()
        except KeyboardInterrupt:  # clears the line, as in a shell
            continue
        except EOFError:
            return
        if text in ("/quit", "/exit"):
            return
        if text.startswith("/"):
            console.print(_command(talk, text, say), style="dim", markup=False)
        elif text:
            _reply_until_stopped(talk, text, console, say)


def _reply_until_stopped(talk: Talk, text: str, console: Console, say: Words) -> None:
    try:
        _print_reply(talk.say(text), console, say)
    except KeyboardInterrupt:  # this reply only
        console.print(say(" [멈춤]", " [stopped]"), style="dim", markup=False)
    except ValueError as error:
        console.print(str(error), style="red", markup=False)


def _command(talk: Talk, text: str, say: Words) -> str:
    if text in ("/think", "/nothink"):
        talk.thinking = text == "/think"
        return say("생각하고 답합니다.", "Thinking.") if talk.thinking else say("바로 답합니다.", "Not thinking.")
    if text == "/reset":
        talk.reset()
        return say("처음부터 다시 이야기합니다.", "A new conversation.")
    return _help(say)


def _help(say: Words) -> str:
    return say(
        "/think 생각하고 답하기  /nothink 바로 답하기  /reset 새 대화  /quit 끝내기 (Ctrl-C는 답을 멈춤)",
        "/think  /nothink  /reset: a new conversation  /quit  (Ctrl-C stops a reply)",
    )


def _print_reply(events: Iterator[Event], console: Console, say: Words) -> None:
    """Reasoning dim, tool calls on lines of their own, everything as soon as it is there."""
    reasoning = False
    for event in events:
        if reasoning and not isinstance(event, Reasoning):
            console.print()
        reasoning = isinstance(event, Reasoning)
        if isinstance(event, ToolCall):
            arguments = json.dumps(event.arguments, ensure_ascii=False)
            console.print(f"[{say('도구', 'tool')}] {event.name} {arguments}", style="cyan", markup=False)
        elif isinstance(event, Malformed):
            console.print(f"[{say('형식 오류', 'malformed')}] {event.reason}", style="red", markup=False)
        else:
            console.print(event.text, end="", style="dim" if reasoning else None, markup=False, soft_wrap=True)
    console.print()
