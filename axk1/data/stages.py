"""Stages of pre-training: from which source each row comes, and how often a source is gone through.

A stage has a share of the run's tokens and a weight per source. Each row is of one source alone, whose stream of
documents goes on where its last row ended, over the stages too. Which source row i is of follows from i: the fractional
part of i / golden ratio falls into the share of one of them. The multiples of the golden ratio fill the unit interval
more evenly than those of any other number (Kronecker sequence; Niederreiter 1992, section 3.1), so any run of n rows
holds each source's share to within a few rows, without counters that a resumed run would have to bring back.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from axk1.data.rows import Place, Row, StreamRows
from axk1.data.shards import ShardError, TokenShards

__all__ = ["MOST_EPOCHS", "SourceUse", "Stage", "StagedRows", "source_use"]

MOST_EPOCHS = 4.0
"""Up to about here repeated text is worth nearly as much as new (Muennighoff et al. 2023, arXiv 2305.16264)."""

_GOLDEN = 11_400_714_819_323_198_485  # 2**64 / golden ratio, odd


@dataclass(frozen=True)
class Stage:
    """`share` of the run's tokens, drawn from the sources by weight; the weights need not add up to 1."""

    share: float
    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share of a stage must be above 0 and at most 1, found {self.share}")
        if not self.weights or min(self.weights.values()) < 0 or not sum(self.weights.values()):
            raise ValueError("weights of a stage: name at least one source with a weight above 0, none below 0")

    @property
    def shares(self) -> dict[str, float]:
        """Of the stage's tokens, by source: the weights above 0, made to add up to 1."""
        total = sum(self.weights.values())
        return {name: weight / total for name, weight in self.weights.items() if weight}


@dataclass(frozen=True)
class SourceUse:
    """What a run reads of a source: its tokens there, separators included, and how often it goes through it."""

    tokens: int
    epochs: float


def source_use(stages: Sequence[Stage], tokens: int, shards: TokenShards) -> dict[str, SourceUse]:
    """The use of every source in a run of `tokens`; of one without a weight it is 0. Errors as of StagedRows."""
    spans = _spans(shards, stages)
    wanted = dict.fromkeys(spans, 0.0)
    for stage in stages:
        for name, share in stage.shares.items():
            wanted[name] += stage.share * share * tokens
    there = {name: shards.tokens_in(span) + len(span) for name, span in spans.items()}
    return {name: SourceUse(there[name], wanted[name] / there[name]) for name in spans}


class StagedRows:
    """Rows of the stages in their order, the last one without end. `rows` is the length of the run that shares are of.

    Of its places, `position` is the number of the row, and `sources` the places in the streams of the sources.
    """

    def __init__(
        self, shards: TokenShards, seq_len: int, seed: int, separator: int, stages: Sequence[Stage], rows: int
    ) -> None:
        self._streams = {
            name: StreamRows(shards, seq_len, seed, separator, span) for name, span in _spans(shards, stages).items()
        }
        self._names = list(self._streams)
        self._ends = [round(end * rows) for end in accumulate(stage.share for stage in stages)]
        self._draws = [_draw(stage, self._names) for stage in stages]

    @property
    def start(self) -> Place:
        """The place of the first row."""
        return Place(sources=(Place(),) * len(self._names))

    def source_at(self, row: int) -> str:
        """The source that this row is of."""
        return self._names[self._source(row)]

    def row(self, place: Place) -> tuple[Row, Place]:
        """See Rows."""
        number = self._source(place.position)
        row, after = self._streams[self._names[number]].row(place.sources[number])
        sources = (*place.sources[:number], after, *place.sources[number + 1 :])
        return row, Place(position=place.position + 1, sources=sources)

    def _source(self, row: int) -> int:
        stage = min(bisect_right(self._ends, row), len(self._ends) - 1)
        numbers, borders = self._draws[stage]
        return numbers[min(bisect_right(borders, (row * _GOLDEN) % 2**64 / 2**64), len(numbers) - 1)]


def _draw(stage: Stage, names: Sequence[str]) -> tuple[list[int], list[float]]:
    """The numbers of the stage's sources, and where the part of each in the unit interval ends."""
    shares = stage.shares
    return [names.index(name) for name in shares], list(accumulate(shares.values()))


def _spans(shards: TokenShards, stages: Sequence[Stage]) -> dict[str, range]:
    """The documents of every source. ShardError for a source that is not there, or is empty."""
    spans = shards.sources
    for name in (name for stage in stages for name in stage.shares):
        if name not in spans:
            known = ", ".join(spans) or "none: make the stage `data` again"
            raise ShardError(f"stages: no source is called {name!r} in {shards.folder} (there: {known})")
        if not shards.tokens_in(spans[name]):
            raise ShardError(f"stages: source {name!r} has no tokens in {shards.folder}")
    return spans
