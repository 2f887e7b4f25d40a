"""What this machine computes with: the fused operators where they can be built, the number format that is fast here."""

from pathlib import Path

from rich.console import Console

from axk1.cli.words import Words
from axk1.model.folder import load
from axk1.model.fused import FusedOperators
from axk1.model.operators import Operators
from axk1.model.plain import PlainOperators
from axk1.model.transformer import Transformer
from axk1.native import NativeUnavailableError
from axk1.train.precision import parameter_dtype, prepare_process

__all__ = ["load_model", "operators"]


def operators(say: Words, console: Console) -> Operators:
    """The fused operators, or the plain ones with a line that says why."""
    try:
        return FusedOperators()
    except NativeUnavailableError as error:
        console.print(
            say(f"느린 기본 연산을 씁니다: {error}", f"Using the slower plain operators: {error}"), markup=False
        )
        return PlainOperators()


def load_model(folder: Path, say: Words, console: Console) -> Transformer:
    """The model of a checkpoint folder, ready to answer. CheckpointError, OSError."""
    prepare_process()
    return load(folder, parameter_dtype("auto"), operators(say, console))
