"""The chat prompt of `axk1 chat`: reads lines and commands, shows replies as they are made."""

import json
import random
from collections.abc import Iterator

from prompt_toolkit import PromptSession
from rich.console import Console

from axk1.chat.messages import ToolCall
from axk1.chat.parser import Content, Event, Malformed, Reasoning
from axk1.cli.talk import Talk
from axk1.cli.words import Words
from axk1.corpus.curriculum import FAMILIES
from axk1.data.conversation import tools_of

__all__ = ["Shell", "print_reply"]


class Shell:
    """One conversation at the terminal; `seed` draws the tools that /tools puts on offer."""

    def __init__(self, talk: Talk, console: Console, say: Words, seed: int) -> None:
        self._talk, self._console, self._say = talk, console, say
        self._rng = random.Random(seed)

    def run(self, session: "PromptSession[str]") -> None:
        """Until /quit or the end of the input."""
        self._console.print(self._help(), style="dim", markup=False)
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
                self._console.print(self.command(text), style="dim", markup=False)
            elif text:
                self._reply(text)

    def command(self, text: str) -> str:
        """Carry out a command that begins with "/"; what to tell the user."""
        if text in ("/think", "/nothink"):
            self._talk.thinking = text == "/think"
            return (
                self._say("생각하고 답합니다.", "Thinking.")
                if self._talk.thinking
                else self._say("바로 답합니다.", "Not thinking.")
            )
        if text == "/reset":
            self._talk.reset()
            return self._say("처음부터 다시 이야기합니다.", "A new conversation.")
        if text == "/tools":
            self._talk.tools = tools_of(FAMILIES["tools"].make(self._rng, "train"))
            names = ", ".join(f"{tool.name} ({tool.description})" for tool in self._talk.tools)
            return self._say(f"쓸 수 있는 도구: {names}", f"Tools on offer: {names}")
        if text == "/notools":
            self._talk.tools = ()
            return self._say("도구를 치웠습니다.", "No tools.")
        return self._help()

    def _help(self) -> str:
        return self._say(
            "/think 생각하고 답하기, /nothink 바로 답하기, /tools 도구 주기 (또 치면 다른 도구), /notools 도구 없이,\n"
            "/reset 새 대화, /quit 끝내기. Ctrl-C는 답을 멈춥니다.",
            "/think or /nothink; /tools puts tools on offer (again: others), /notools takes them away;\n"
            "/reset begins a new conversation, /quit ends. Ctrl-C stops a reply.",
        )

    def _reply(self, text: str) -> None:
        try:
            print_reply(self._talk.say(text), self._console, self._say)
        except KeyboardInterrupt:  # this reply only
            self._console.print(self._say(" [멈춤]", " [stopped]"), style="dim", markup=False)
        except ValueError as error:
            self._console.print(str(error), style="red", markup=False)


def print_reply(events: Iterator[Event], console: Console, say: Words) -> None:
    """Reasoning dim, tool calls on lines of their own, everything as soon as it is there."""
    shown: type[Event] | None = None  # what stands on the line that is not ended yet
    for event in events:
        if shown and shown is not type(event):
            console.print()
        shown = type(event) if isinstance(event, Reasoning | Content) else None
        if isinstance(event, ToolCall):
            arguments = json.dumps(event.arguments, ensure_ascii=False)
            console.print(f"[{say('도구', 'tool')}] {event.name} {arguments}", style="cyan", markup=False)
        elif isinstance(event, Malformed):
            console.print(f"[{say('형식 오류', 'malformed')}] {event.reason}", style="red", markup=False)
        elif isinstance(event, Reasoning | Content):
            style = "dim" if isinstance(event, Reasoning) else None
            console.print(event.text, end="", style=style, markup=False, soft_wrap=True)
    if shown:
        console.print()
