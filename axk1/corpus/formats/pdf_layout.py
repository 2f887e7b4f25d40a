"""Pieces of text with their places on a page → reading order: columns by their gutters, tables by their rules.

Coordinates are PDF points; y grows upwards, so `top` is the larger one.
"""

import itertools
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from axk1.corpus.formats.table import markdown

__all__ = ["Grid", "Piece", "Rule", "cell_of", "grids", "gutter_of", "regions", "table_text"]

_TOUCH = 2.0  # points between the ends of rules that belong together
_GUTTER_EM = 0.9  # narrowest white strip between columns, in heights of a line
_COLUMN_LINES = 3  # fewer lines side by side are no columns


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text on one line, or a table (then `is_table`)."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    is_table: bool = False

    @property
    def height(self) -> float:
        """From the bottom to the top of a line."""
        return max(self.top - self.bottom, 0.1)

    @property
    def middle(self) -> float:
        """The height of the line's middle on the page."""
        return (self.top + self.bottom) / 2


@dataclass(frozen=True, slots=True)
class Rule:
    """A drawn line along one axis: `at` is its place across, `start` to `end` its extent."""

    is_vertical: bool
    at: float
    start: float
    end: float


@dataclass(frozen=True)
class Grid:
    """The borders of a table's columns (left to right) and rows (bottom to top)."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]


def grids(rules: Sequence[Rule]) -> list[Grid]:
    """Every table that touching rules draw: at least two cells. A frame alone is no table."""
    found = list[Grid]()
    for group in _touching(rules):
        xs = _places(rule.at for rule in group if rule.is_vertical)
        ys = _places(rule.at for rule in group if not rule.is_vertical)
        if len(xs) >= 2 and len(ys) >= 2 and (len(xs) - 1) * (len(ys) - 1) >= 2:
            found.append(Grid(tuple(xs), tuple(ys)))
    return found


def _touching(rules: Sequence[Rule]) -> list[list[Rule]]:
    groups = list[list[Rule]]()
    for rule in rules:
        near = [group for group in groups if any(_meet(rule, other) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([rule, *itertools.chain.from_iterable(near)])
    return groups


def _meet(a: Rule, b: Rule) -> bool:
    if a.is_vertical == b.is_vertical:
        return abs(a.at - b.at) <= _TOUCH and a.start <= b.end + _TOUCH and b.start <= a.end + _TOUCH
    across = a.start - _TOUCH <= b.at <= a.end + _TOUCH
    return across and b.start - _TOUCH <= a.at <= b.end + _TOUCH


def _places(values: Iterator[float]) -> list[float]:
    places = list[float]()
    for value in sorted(values):
        if not places or value - places[-1] > 2 * _TOUCH:
            places.append(value)
    return places


def cell_of(x: float, y: float, tables: Sequence[Grid]) -> tuple[int, int, int] | None:
    """(table, row from the top, column) of a point, None outside all tables."""
    for number, grid in enumerate(tables):
        if grid.xs[0] <= x <= grid.xs[-1] and grid.ys[0] <= y <= grid.ys[-1]:
            column = sum(x > border for border in grid.xs[1:-1])
            return number, sum(y < border for border in grid.ys[1:-1]), column
    return None


def table_text(grid: Grid, cells: Sequence[tuple[int, int, Piece]]) -> Piece:
    """The table as one piece; cells are (row, column, piece)."""
    rows = [[list[Piece]() for _ in grid.xs[1:]] for _ in grid.ys[1:]]
    for row, column, piece in cells:
        rows[row][column].append(piece)
    texts = [[" ".join(piece.text.strip() for piece in _lines(cell)) for cell in row] for row in rows]
    return Piece(markdown(texts), grid.xs[0], grid.ys[0], grid.xs[-1], grid.ys[-1], is_table=True)


def regions(pieces: Sequence[Piece], usual: float | None = None) -> list[list[Piece]]:
    """The pieces in reading order, in regions of one column each; pieces side by side in a column become one line.

    usual: the gutter of other pages, for a page whose last column has too few lines to show one.
    """
    if not pieces:
        return []
    gutter = gutter_of(pieces)
    if gutter is None and usual is not None and _may_divide(pieces, usual):
        gutter = usual
    if gutter is None:
        return [_lines(pieces)]
    found = list[list[Piece]]()
    band = list[Piece]()
    for piece in sorted(pieces, key=lambda piece: -piece.middle):
        if not piece.left < gutter < piece.right:
            band.append(piece)
            continue
        found += [*_columns(band, gutter), [piece]]
        band = []
    return _merged(found + _columns(band, gutter))


def _columns(band: Sequence[Piece], gutter: float) -> list[list[Piece]]:
    left = [piece for piece in band if piece.right <= gutter]
    return regions(left) + regions([piece for piece in band if piece.left >= gutter])


def _merged(found: Sequence[list[Piece]]) -> list[list[Piece]]:
    """Single lines that span the page, one after the other, are one region again."""
    merged = list[list[Piece]]()
    for region in found:
        if len(region) == 1 and merged and len(merged[-1]) == 1 and not (region[0].is_table or merged[-1][0].is_table):
            merged[-1] = merged[-1] + region
        elif region:
            merged.append(list(region))
    return merged


def _may_divide(pieces: Sequence[Piece], x: float) -> bool:
    left = sum(piece.right <= x for piece in pieces)
    right = sum(piece.left >= x for piece in pieces)
    return min(left, right) > 0 and len(pieces) - left - right < max(left, right)


def gutter_of(pieces: Sequence[Piece]) -> float | None:
    """The middle of the strip between lines side by side that the fewest pieces cross; of equals the widest."""
    if not pieces:
        return None
    least = _GUTTER_EM * statistics.median(piece.height for piece in pieces)
    edges = sorted({round(piece.right, 1) for piece in pieces})
    best: tuple[int, float, float] | None = None
    for edge in edges[:-1]:
        right = [piece.left for piece in pieces if piece.left >= edge]
        if not right or min(right) - edge < least:
            continue
        middle = (edge + min(right)) / 2
        crossing = sum(piece.left < middle < piece.right for piece in pieces)
        found = (crossing, edge - min(right), middle)
        if _are_columns(pieces, middle) and (best is None or found < best):
            best = found
    return best[2] if best else None


def _are_columns(pieces: Sequence[Piece], x: float) -> bool:
    left = [piece for piece in pieces if piece.right <= x]
    right = [piece for piece in pieces if piece.left >= x]
    crossing = len(pieces) - len(left) - len(right)
    if min(len(left), len(right)) < _COLUMN_LINES or crossing > min(len(left), len(right)):
        return False
    top, bottom = (
        min(max(p.top for p in side) for side in (left, right)),
        max(min(p.bottom for p in side) for side in (left, right)),
    )
    beside = [sum(bottom <= piece.middle <= top for piece in side) for side in (left, right)]
    return min(beside) >= _COLUMN_LINES


def _lines(pieces: Sequence[Piece]) -> list[Piece]:
    """Pieces on one height joined from left to right, from the top down."""
    lines = list[list[Piece]]()
    for piece in sorted(pieces, key=lambda piece: -piece.middle):
        beside = lines[-1][0] if lines else None
        if beside and not piece.is_table and not beside.is_table and beside.middle - piece.middle < 0.5 * piece.height:
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return [_one_line(sorted(line, key=lambda piece: piece.left)) for line in lines]


def _one_line(pieces: Sequence[Piece]) -> Piece:
    text = pieces[0].text
    for before, piece in itertools.pairwise(pieces):
        is_apart = piece.left - before.right > 0.25 * piece.height and not text.endswith(" ")
        text += (" " if is_apart else "") + piece.text
    whole = replace(pieces[0], text=text, right=max(piece.right for piece in pieces))
    return replace(whole, top=max(p.top for p in pieces), bottom=min(p.bottom for p in pieces))
