"""Texts as windows of token ids: every token of a text is to be predicted exactly once, from what stands before it.

Shape letters: T tokens of a window, R of those that are measured, at most so many at once, V vocabulary.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["WINDOW", "Doubles", "Floats", "Logits", "Text", "Window", "groups", "log_probabilities"]

WINDOW = 512
"""The most tokens of a window, and of a group of windows: what is held at once, whatever the length of the texts."""

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Logits = Callable[[Sequence[Sequence[int]]], Sequence[Floats]]
"""A model's scores of the next token after each of some windows' tokens: float32 [T, V] per window."""


_BLOCK = 1 << 20  # logits that are worked on at once, so that a large vocabulary takes no more memory than a small one


class Text(NamedTuple):
    """A document's ids, the bytes of UTF-8 of what is measured, and which ids that are (None: all)."""

    ids: Sequence[int]
    bytes: int
    measured: Sequence[bool] | None = None


class Window(NamedTuple):
    """`targets[i]` is what follows `inputs[i]`, and `measured[i]` whether it counts; all have T entries."""

    inputs: list[int]
    targets: list[int]
    measured: list[bool]


def groups(texts: Iterable[Text], start: int) -> Iterator[list[Window]]:
    """The texts' windows in their order, in groups of at most WINDOW tokens that a model may read together.

    A text stands behind `start`, the id that separates documents; a later window of a long text begins with the last
    token of the one before and sees nothing else of it.
    """
    group: list[Window] = []
    tokens = 0
    for text in texts:
        for window in _windows(text, start):
            if group and tokens + len(window.inputs) > WINDOW:
                yield group
                group, tokens = [], 0
            group.append(window)
            tokens += len(window.inputs)
    if group:
        yield group


def log_probabilities(
    window: Window, *logits_TV: Floats
) -> Iterator[tuple[npt.NDArray[np.int64], tuple[Doubles, ...]]]:
    """The measured tokens' targets [R, 1] and, for each model, the log-probabilities [R, V] they are drawn from."""
    measured_M = np.flatnonzero(window.measured)
    targets_M = np.asarray(window.targets, np.int64)[measured_M]
    step = max(_BLOCK // logits_TV[0].shape[1], 1)
    for first in range(0, len(measured_M), step):
        block_R = measured_M[first : first + step]
        yield targets_M[first : first + step, None], tuple(_log_softmax(one_TV[block_R]) for one_TV in logits_TV)


def _log_softmax(logits_RV: Floats) -> Doubles:
    """In float64: differences of a millionth are looked for."""
    shifted_RV = logits_RV.astype(np.float64)
    shifted_RV -= shifted_RV.max(1, keepdims=True)
    shifted_RV -= np.log(np.exp(shifted_RV).sum(1, keepdims=True))
    return shifted_RV


def _windows(text: Text, start: int) -> Iterator[Window]:
    ids = [start, *map(int, text.ids)]
    measured = [True] * len(text.ids) if text.measured is None else list(map(bool, text.measured))
    for first in range(0, len(text.ids), WINDOW):
        targets = ids[first + 1 : first + 1 + WINDOW]
        yield Window(ids[first : first + len(targets)], targets, measured[first : first + WINDOW])
