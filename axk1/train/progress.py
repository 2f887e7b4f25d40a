"""What a person sees while training: a live line in a terminal, plain lines every few seconds elsewhere."""

import time
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from axk1.train.settings import Language

__all__ = ["Display", "LiveDisplay", "PlainDisplay", "display"]

# How far one step moves the displayed speed: an average over some ten steps.
_WEIGHT = 0.1


class Display(Protocol):
    """Entered around the loop."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def step(self, done: int, seconds: float, loss: float, learning_rate: float, grad_norm: float) -> None:
        """Step number `done` (1-based) took `seconds`."""

    def say(self, korean: str, english: str) -> None:
        """A lasting line above the moving one."""


def display(console: Console, title: str, total: int, tokens_per_step: int, language: Language) -> Display:
    """The display that suits `console`, for `total` steps."""
    kind = LiveDisplay if console.is_terminal else PlainDisplay
    return kind(console, title, total, tokens_per_step, language)


class LiveDisplay:
    """A progress bar that stays in place."""

    def __init__(self, console: Console, title: str, total: int, tokens_per_step: int, language: Language) -> None:
        self._line = _Line(total, tokens_per_step, language)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[line]}"),
        )
        self._bar = Progress(*columns, console=console, refresh_per_second=4)
        self._task = self._bar.add_task(title, total=total, line="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, done: int, seconds: float, loss: float, learning_rate: float, grad_norm: float) -> None:
        line = self._line.text(done, seconds, loss, learning_rate, grad_norm)
        self._bar.update(self._task, completed=done, line=line)

    def say(self, korean: str, english: str) -> None:
        self._bar.console.print(self._line.choose(korean, english), markup=False, highlight=False)


class PlainDisplay:
    """A line every `every_seconds`, for logs; the first and the last step always get one."""

    def __init__(
        self,
        console: Console,
        title: str,
        total: int,
        tokens_per_step: int,
        language: Language,
        every_seconds: float = 5.0,
    ) -> None:
        self._console, self._title, self._total, self._every = console, title, total, every_seconds
        self._line = _Line(total, tokens_per_step, language)
        self._due = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def step(self, done: int, seconds: float, loss: float, learning_rate: float, grad_norm: float) -> None:
        line = self._line.text(done, seconds, loss, learning_rate, grad_norm)
        if time.monotonic() >= self._due or done == self._total:
            self._due = time.monotonic() + self._every
            self._print(f"{self._title} {done}/{self._total}  {line}")

    def say(self, korean: str, english: str) -> None:
        self._print(self._line.choose(korean, english))

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class _Line:
    """Words and numbers of one line; keeps a running step time for speed and time left."""

    def __init__(self, total: int, tokens_per_step: int, language: Language) -> None:
        self._total, self._tokens, self._language = total, tokens_per_step, language
        self._seconds: float | None = None

    def choose(self, korean: str, english: str) -> str:
        return korean if self._language == "ko" else english

    def text(self, done: int, seconds: float, loss: float, learning_rate: float, grad_norm: float) -> str:
        before = seconds if self._seconds is None else self._seconds
        self._seconds = before + _WEIGHT * (seconds - before)
        speed = self._tokens / max(self._seconds, 1e-9)
        left = _duration((self._total - done) * self._seconds)
        return self.choose(
            f"초당 {speed:,.0f}토큰  {left} 남음  손실 {loss:.4f}  학습률 {learning_rate:.2e}  기울기 {grad_norm:.2f}",
            f"{speed:,.0f} tokens/s  {left} left  loss {loss:.4f}  lr {learning_rate:.2e}  grad {grad_norm:.2f}",
        )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
