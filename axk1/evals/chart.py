"""The report as a picture: bars per task with their 95 % intervals. Needs matplotlib, so only who draws imports this.

Labels are the tasks' short names: the font that matplotlib brings has no Hangul.
"""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from axk1.evals.interval import Share
from axk1.evals.result import Report

__all__ = ["draw"]

_COLOURS = {"thinking": "#1f77b4", "direct": "#ff7f0e", "baseline": "#9e9e9e"}
_HEIGHT = 0.27  # of a bar; three of them and a gap share one unit of the axis


def draw(report: Report, path: Path) -> None:
    """Write a PNG (or what the path's ending says): thinking, direct and the best baseline of every task. OSError."""
    bars = {
        "thinking": [task.share("thinking") for task in report.tasks],
        "direct": [task.share("direct") for task in report.tasks],
        "baseline": [task.baseline[1] for task in report.tasks],
    }
    figure = Figure(figsize=(9, 1.5 + 0.42 * len(report.tasks)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, (label, shares) in enumerate(bars.items()):
        at = [row + (place - 1) * _HEIGHT for row in range(len(shares))]
        widths = [100 * share.value for share in shares]
        axes.barh(at, widths, _HEIGHT, label=label, color=_COLOURS[label], xerr=_whiskers(shares), ecolor="#444444")
    axes.set_yticks(range(len(report.tasks)), [task.name for task in report.tasks])
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("right answers on held-out questions, %, with 95 % intervals")
    axes.grid(visible=True, axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=len(bars))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _whiskers(shares: list[Share]) -> list[list[float]]:
    """How far the interval reaches below and above each bar's end, in percent."""
    below = [100 * (share.value - share.interval[0]) for share in shares]
    above = [100 * (share.interval[1] - share.value) for share in shares]
    return [below, above]
