"""What this machine trains with: the fused operators where they can be built."""

from rich.console import Console

from axk1.cli.words import Words
from axk1.model.fused import FusedOperators
from axk1.model.operators import Operators
from axk1.model.plain import PlainOperators
from axk1.native import NativeUnavailableError

__all__ = ["operators"]


def operators(say: Words, console: Console) -> Operators:
    """The fused operators, or the plain ones with a line that says why."""
    try:
        return FusedOperators()
    except NativeUnavailableError as error:
        console.print(
            say(f"느린 기본 연산을 씁니다: {error}", f"Using the slower plain operators: {error}"), markup=False
        )
        return PlainOperators()
