import io
from collections.abc import Iterator

from prompt_toolkit import PromptSession
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from axk1.chat.messages import ToolCall
from axk1.chat.parser import Content, Malformed, Reasoning
from axk1.cli.shell import Shell, print_reply
from axk1.cli.talk import Talk
from axk1.cli.words import Words
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.tokenizer.train import train


class Told:
    """A console that remembers, and a talk with a model that always says the same."""

    def __init__(self, reply: str = "네.", context: int = 500) -> None:
        self.tokenizer: Tokenizer = train(["네. 안녕하세요? system user assistant"] * 4, 300)
        self.file = io.StringIO()
        self.console = Console(file=self.file, highlight=False, width=200)
        self.talk = Talk(self.tokenizer, lambda prompt: self._stream(prompt, reply), context)
        self.shell = Shell(self.talk, self.console, Words("en"), seed=0)

    def _stream(self, prompt: list[int], reply: str) -> Iterator[int]:
        if reply == "interrupt":
            raise KeyboardInterrupt
        yield from self.tokenizer.encode(reply)

    def type(self, text: str) -> str:
        """What the screen shows after these keys."""
        with create_pipe_input() as keys:
            keys.send_text(text)
            self.shell.run(PromptSession(input=keys, output=DummyOutput()))
        return self.file.getvalue()


def test_a_conversation_from_the_keyboard() -> None:
    told = Told()
    shown = told.type("안녕\r/think\r/what\r\r/quit\r")
    assert "\n네.\n" in shown
    assert "Thinking." in shown
    assert shown.count("Ctrl-C stops a reply") == 2
    assert told.talk.thinking
    assert [message.role for message in told.talk.messages] == ["user", "assistant"]


def test_the_end_of_the_input_ends_the_shell() -> None:
    assert "/quit" in Told().type("\x04")


def test_ctrl_c_clears_the_line() -> None:
    told = Told()
    told.type("half a quest\x03/quit\r")
    assert told.talk.messages == []


def test_ctrl_c_stops_a_reply_and_the_conversation_goes_on() -> None:
    told = Told(reply="interrupt")
    assert "[stopped]" in told.type("안녕\r/quit\r")
    assert told.talk.messages == []


def test_a_message_that_is_too_long_is_told() -> None:
    assert "the model reads at most 10" in Told(context=10).type("안녕하세요 안녕하세요\r/quit\r")


def test_tools_are_offered_and_taken_away() -> None:
    told = Told()
    shown = told.shell.command("/tools")
    assert told.talk.tools
    assert told.talk.tools[0].name in shown
    told.shell.command("/notools")
    assert told.talk.tools == ()


def test_a_reply_is_shown_by_its_parts() -> None:
    told = Told()
    call = ToolCall("light", {"방": "거실"})
    events = [Reasoning("1+"), Reasoning("1"), Content("[bold]2[/bold]"), call, Malformed("</think> here")]
    print_reply(iter(events), told.console, Words("ko"))
    assert told.file.getvalue() == '1+1\n[bold]2[/bold]\n[도구] light {"방": "거실"}\n[형식 오류] </think> here\n'
