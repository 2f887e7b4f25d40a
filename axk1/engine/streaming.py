"""Experts that stay on disk: what a back end says about its memory, and what the reads cost."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ExpertStatistics", "Footprint"]


@dataclass(frozen=True)
class Footprint:
    """Bytes that a back end takes besides the cache.

    All weights in memory take `weights`; with experts on disk, `always` for what every token uses, and as many slots
    of `slot` bytes as there is room for, at least `least_slots` and no more than `most_slots`. Scratch comes on top:
    `scratch`, and for each position of the longest text `scratch_per_position`. `obstacle` says why experts cannot stay
    on disk, "" if they can.
    """

    weights: int
    always: int
    slot: int
    least_slots: int
    most_slots: int
    scratch: int
    scratch_per_position: int
    obstacle: str = ""


@dataclass(frozen=True)
class ExpertStatistics:
    """Counts since the model was opened.

    A layer needs an expert once, however many of its tokens do, and finds it in memory (`hits`), on its way, read ahead
    (`late`), or not (`misses`). Of the `ahead_read` experts that were read ahead `ahead_used` were needed; of `guessed`
    ones, in memory or not, `guessed_right`.
    """

    tokens: int = 0
    hits: int = 0
    misses: int = 0
    late: int = 0
    bytes_read: int = 0
    ahead_read: int = 0
    ahead_used: int = 0
    ahead_bytes: int = 0
    guessed: int = 0
    guessed_right: int = 0
    waited_ns: int = 0
    slots: int = 0
    slot_bytes: int = 0

    @property
    def needed(self) -> int:
        """Experts that layers needed."""
        return self.hits + self.misses + self.late

    @property
    def hit_rate(self) -> float:
        """The part of them that was in memory; 1 when none was needed."""
        return self.hits / self.needed if self.needed else 1.0

    @property
    def bytes_per_token(self) -> float:
        """Read from disk per computed token."""
        return self.bytes_read / max(self.tokens, 1)

    @property
    def waited_seconds(self) -> float:
        """How long the computing threads waited for reads."""
        return self.waited_ns / 1e9

    def since(self, before: ExpertStatistics) -> ExpertStatistics:
        """What was added after `before`; the slots stay."""
        sizes = ("slots", "slot_bytes")
        added = {name: value - getattr(before, name) for name, value in vars(self).items() if name not in sizes}
        return ExpertStatistics(**added, slots=self.slots, slot_bytes=self.slot_bytes)
