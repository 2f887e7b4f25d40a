"""What a person reads while training."""

import io
import re

import pytest
from rich.console import Console

from axk1.train.progress import LiveDisplay, PlainDisplay, display


def console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=160)


def text(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def test_the_console_decides() -> None:
    assert isinstance(display(console(terminal=True), "pretrain", 10, 100, "en"), LiveDisplay)
    assert isinstance(display(console(terminal=False), "pretrain", 10, 100, "en"), PlainDisplay)


def test_plain_lines_come_now_and_then_and_at_the_end() -> None:
    shown = console(terminal=False)
    with PlainDisplay(shown, "pretrain", 100, 4096, "en", every_seconds=1000) as plain:
        for step in range(1, 101):
            plain.step(step, 2.0, 3.21, 1e-3, 0.5)
    lines = text(shown).strip().split("\n")
    assert lines == [
        "pretrain 1/100  2,048 tokens/s  3:18 left  loss 3.2100  lr 1.00e-03  grad 0.50",
        "pretrain 100/100  2,048 tokens/s  0:00 left  loss 3.2100  lr 1.00e-03  grad 0.50",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_both_languages(terminal: bool) -> None:
    for language, words in (("ko", "손실 1.5000"), ("en", "loss 1.5000")):
        shown = console(terminal)
        with display(shown, "pretrain", 2, 10, language) as one:  # type: ignore[arg-type]
            one.step(1, 0.1, 1.5, 1e-3, 1.0)
            one.say("[한국어]", "[english]")  # brackets are text, not markup
            one.step(2, 0.1, 1.5, 1e-3, 1.0)
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text(shown))
        assert words in plain
        assert ("[한국어]" if language == "ko" else "[english]") in plain


def test_hours_are_written_out() -> None:
    shown = console(terminal=False)
    with PlainDisplay(shown, "sft", 3601, 10, "ko") as plain:
        plain.step(1, 1.0, 1.0, 1e-3, 1.0)
    assert "1:00:00 남음" in text(shown)
