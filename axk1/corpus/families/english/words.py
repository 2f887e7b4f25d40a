"""English words that both talk and commands use."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Side
from axk1.corpus.lexicon import compose

_ONSETS = ("Ro", "Ma", "Lu", "Ka", "Ti", "Jo", "Be", "Sa", "No", "El")
_ENDINGS = ("na", "ra", "len", "vin", "ry", "sa", "bert", "mi", "dan", "lia")
_SURNAMES = ("Parker", "Brooks", "Hayes", "Reed", "Stone", "Walsh", "Foster", "Lane", "Grant", "Wells")


def first_name(rng: random.Random, side: Side) -> str:
    """A name made of two pieces: Maren, Luna."""
    return compose(rng, side, _ONSETS, _ENDINGS, joiner="")


def person(rng: random.Random, side: Side) -> str:
    """A first name and a surname."""
    return compose(rng, side, tuple(a + b for a in _ONSETS for b in _ENDINGS), _SURNAMES)
