"""Speculation: several tokens of a request in one step. A drafter guesses what comes next, the model computes the
guesses beside the token that is due, and they count as far as they are what the sampler chooses.

The sampler runs on every position as if there had been no draft, with the random number of that position, so what comes
out is the same, token for token; a draft only decides how many tokens a step gives. A drafted token x is right with
probability p(x), which is what rejection sampling (arXiv 2211.17192, 2302.01318) accepts of a draft without
probabilities of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from axk1.engine import scheduler
from axk1.engine.step import Part

__all__ = ["Acceptance", "Drafter", "Pace", "Speculation", "Speculator", "share_of_step"]

Speculation = Literal["auto", "off", "lookup", "mtp"]
"""How tokens are drafted: by the checkpoint's multi-token-prediction layer, or by looking up what followed before."""

FIXED_COST = 2.0  # a step's cost without its tokens, in tokens: measured 1 (int4) to 4 (bfloat16) on sparse models
RATE = 0.15  # weight of the newest draft in the moving average
FIRST_PAUSE, LONGEST_PAUSE = 8, 256  # steps between two drafts where drafting does not pay


@dataclass(frozen=True)
class Acceptance:
    """Tokens that were drafted and computed, and those of them that came true."""

    drafted: int = 0
    accepted: int = 0


class Drafter(Protocol):
    """Guesses. Called after every step, with all that was computed."""

    @property
    def cost(self) -> float:
        """What one drafted token costs besides being computed, in steps."""
        ...

    def draft(self, parts: Sequence[Part], lengths: Sequence[int]) -> list[list[int]]:
        """For each part of the step up to so many tokens that may follow its sequence as it is now; 0 asks for none."""
        ...

    def forget(self, sequence: scheduler.Sequence) -> None:
        """The sequence has ended."""
        ...


class Pace:
    """How long the drafts of one request are: as long as the last token of them pays.

    The chance that a drafted token is right, when those before it are, is a moving average. Where not even the first
    token pays, one is tried after a pause, which doubles as long as it is wrong.
    """

    def __init__(self, longest: int, chance: float = 0.6) -> None:
        self._longest = longest
        self._chance = chance
        self._pause = FIRST_PAUSE
        self._rest = 0

    def saw(self, drafted: int, accepted: int) -> None:
        """What became of a draft; one of 0 tokens says nothing."""
        for place in range(min(accepted + 1, drafted)):  # what follows a wrong token was not looked at
            self._chance += RATE * ((place < accepted) - self._chance)
        if accepted:
            self._pause, self._rest = FIRST_PAUSE, 0
        elif drafted:
            self._rest = self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def length(self, cost: float) -> int:
        """The tokens to draft when each costs this part of what a token of the step is worth."""
        count = self._paying(cost)
        if count:
            return count
        self._rest = max(self._rest - 1, 0)
        return 0 if self._rest else 1

    def _paying(self, cost: float) -> int:
        """The most for which chance ** count >= cost."""
        if self._chance < cost:
            return 0
        return min(int(math.log(cost) / math.log(min(self._chance, 0.999)) + 1e-9), self._longest)


def share_of_step(tokens: int) -> float:
    """What one more token costs in a step of so many, in what such a step takes per token.

    With many sequences weights are read for all of them at once, and a drafted token costs nearly what it may save.
    """
    return tokens / (tokens + FIXED_COST)


class Speculator:
    """Asks the drafter for every request that can use a draft, as long as it pays. Of the loop's thread."""

    def __init__(self, drafter: Drafter, longest: int) -> None:
        self._drafter = drafter
        self._longest = longest
        self._paces: dict[scheduler.Sequence, Pace] = {}
        self.total = Acceptance()

    def after(self, parts: Sequence[Part]) -> None:
        """A step has run and its tokens are chosen: sets the draft of each sequence for the next one."""
        lengths = [self._length(part, len(parts)) for part in parts]
        for part, draft in zip(parts, self._drafter.draft(parts, lengths), strict=True):
            part.piece.sequence.draft = draft

    def forget(self, sequence: scheduler.Sequence) -> None:
        """The sequence has ended."""
        self._paces.pop(sequence, None)
        self._drafter.forget(sequence)

    def _length(self, part: Part, running: int) -> int:
        sequence, drafted = part.piece.sequence, len(part.piece.draft)
        pace = self._paces.setdefault(sequence, Pace(self._longest))
        accepted = max(sequence.computed - part.piece.end, 0)  # a job that failed has computed nothing
        pace.saw(drafted, accepted)
        self.total = Acceptance(self.total.drafted + drafted, self.total.accepted + accepted)
        # the step gives one token in any case, so the last that may come need not be drafted
        useful = 0 if part.job.ended or sequence.missing != 1 else part.job.room - 1
        return min(useful, pace.length(min(share_of_step(running) + self._drafter.cost, 1.0))) if useful > 0 else 0
