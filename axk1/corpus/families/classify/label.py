"""What every kind of classification gives: a text with its label."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Labelled:
    """A text, its label, the reason in a few words, and what only one side may hold."""

    text: str
    label: str
    thought: str
    key: str
