"""Rows of cells as Markdown, the one shape in which tables of every format reach the text."""

import re
from collections.abc import Sequence

__all__ = ["markdown"]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The rows as lines of "| a | b |" with a rule under the first; a table of one cell is its plain text.

    Short rows are filled up, rows of empty cells left out; "|" in a cell is escaped and line breaks become spaces.
    """
    cells = [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]
    if not cells:
        return ""
    width = max(map(len, cells))
    if width == 1:
        return "\n".join(row[0] for row in cells)
    lines = [_line([*row, *[""] * (width - len(row))]) for row in cells]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in cells) + " |"
