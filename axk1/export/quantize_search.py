"""Grids with the least squared error: the range is clipped as far as that pays, then the scale is solved for.

Letters: O rows, I columns, G groups, S columns of a group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from axk1.checkpoint import Grid, Scheme
from axk1.checkpoint.floats import Float32
from axk1.checkpoint.integers import code_range, extent, grid_over, grouped, storable

# Parts of the full range that are tried. Beyond 1 the largest value of a symmetric grid gets a code of its own.
CLIPS: Mapping[int, Sequence[float]] = {
    4: (1.0, 1.07, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65),
    8: (1.0, 0.97, 0.93, 0.88, 0.8),
}
REFINEMENTS = 2


def best_grid(weight_OI: Float32, scheme: Scheme, importance_I: Float32 | None = None) -> Grid:
    """The grid of least sum over a group of importance * (w - w')^2, among CLIPS and what least squares makes of it.

    `importance_I` is what an error in each input column costs: its mean squared activation, if known.
    """
    search = _Search(weight_OI, scheme, importance_I)
    low_OG, high_OG = extent(weight_OI, scheme)
    for clip in CLIPS[scheme.bits]:
        search.offer(grid_over(clip * low_OG, clip * high_OG, scheme))
    for _ in range(REFINEMENTS):
        search.offer(search.solved())
    return search.best


def plain_grid(weight_OI: Float32, scheme: Scheme, _importance_I: Float32 | None = None) -> Grid:
    """The grid over each group's whole range, which loses nothing at its ends: what `best_grid` is measured against."""
    return grid_over(*extent(weight_OI, scheme), scheme)


class _Search:
    """The best grid so far, group by group."""

    best: Grid

    def __init__(self, weight_OI: Float32, scheme: Scheme, importance_I: Float32 | None) -> None:
        self._weight_OGS, self._scheme = grouped(weight_OI, scheme), scheme
        groups = self._weight_OGS.shape[1:]
        self._root_GS = None if importance_I is None else np.sqrt(importance_I, dtype=np.float32).reshape(groups)
        self._error_OG: Float32 | None = None

    def offer(self, grid: Grid) -> None:
        """Takes the new grid for the groups where its error is smaller."""
        codes_OGS = self._codes(grid)
        codes_OGS *= grid.scale_OG[:, :, None]
        codes_OGS -= self._weight_OGS
        if self._root_GS is not None:
            codes_OGS *= self._root_GS
        error_OG = np.einsum("ogs,ogs->og", codes_OGS, codes_OGS)
        if self._error_OG is None:
            self.best, self._error_OG = grid, error_OG
            return
        better_OG = error_OG < self._error_OG
        zero_OG = None
        if grid.zero_OG is not None and self.best.zero_OG is not None:
            zero_OG = np.where(better_OG, grid.zero_OG, self.best.zero_OG)
        self.best = Grid(np.where(better_OG, grid.scale_OG, self.best.scale_OG), zero_OG)
        self._error_OG = np.where(better_OG, error_OG, self._error_OG)

    def solved(self) -> Grid:
        """The best grid with each scale solved for, its codes kept: s = sum(h w c) / sum(h c^2), h the importance."""
        codes_OGS, weight_OGS = self._codes(self.best), self._weight_OGS
        if self._root_GS is not None:
            codes_OGS *= self._root_GS
            weight_OGS = weight_OGS * self._root_GS
        fit_OG = np.einsum("ogs,ogs->og", weight_OGS, codes_OGS)
        size_OG = np.einsum("ogs,ogs->og", codes_OGS, codes_OGS)
        useful_OG = (size_OG > 0) & (fit_OG > 0)
        scale_OG = np.divide(fit_OG, size_OG, out=self.best.scale_OG.copy(), where=useful_OG)
        return Grid(storable(scale_OG, self._scheme), self.best.zero_OG)

    def _codes(self, grid: Grid) -> Float32:
        """Codes less the zero, as floats [O, G, S]."""
        least, most = code_range(self._scheme.bits)
        codes_OGS = self._weight_OGS / grid.scale_OG[:, :, None]
        np.rint(codes_OGS, out=codes_OGS)
        low, high = np.float32(least), np.float32(most)
        if grid.zero_OG is not None:
            zero_OG1 = grid.zero_OG[:, :, None].astype(np.float32)
            np.minimum(np.maximum(codes_OGS, low - zero_OG1, out=codes_OGS), high - zero_OG1, out=codes_OGS)
        else:
            np.minimum(np.maximum(codes_OGS, low, out=codes_OGS), high, out=codes_OGS)
        return codes_OGS
