"""Bars as SVG pictures. Labels stay text, so that whoever looks at them needs the fonts, not the machine that drew."""

import warnings
from collections.abc import Mapping
from pathlib import Path

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from axk1.corpus.release.statistics import BIN_STARTS, Statistics

__all__ = ["draw"]


def draw(statistics: Statistics, folder: Path) -> None:
    """Write sources.svg, licenses.svg (MB of text) and lengths.svg (documents by characters) into a new folder."""
    folder.mkdir()
    for group in ("source", "license"):
        bars = {name: amount.bytes / 1e6 for name, amount in statistics.by(group).items()}
        _bars(bars, "MB of UTF-8 text", folder / f"{group}s.svg")
    used = [place for place, count in enumerate(statistics.lengths) if count]
    classes = {f"{BIN_STARTS[place]:,}": statistics.lengths[place] for place in range(used[0], used[-1] + 1)}
    _bars(classes, "documents, by characters from … to twice as many", folder / "lengths.svg")


def _bars(bars: Mapping[str, float], label: str, path: Path) -> None:
    # Labels as text and no random ids or date: the same release gives the same bytes.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "axk1"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # Hangul is drawn by who opens the file
        figure = Figure(figsize=(8, 1.2 + 0.32 * len(bars)), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.barh(list(bars), list(bars.values()), color="#1f77b4")
        axes.invert_yaxis()
        axes.set_xlabel(label)
        axes.grid(visible=True, axis="x", alpha=0.3)
        axes.set_axisbelow(True)
        figure.savefig(path, format="svg", metadata={"Date": None})
