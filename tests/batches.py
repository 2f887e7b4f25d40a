"""Steps of a back end, written by hand."""

from __future__ import annotations

import numpy as np

from axk1.engine.backend import Batch


def batch(*parts: tuple[list[int], int, list[int]], wanted: list[int] | None = None) -> Batch:
    """Each part: tokens, how many are cached before them, the table of blocks. Every token is wanted unless told."""
    rows, cached, tables = zip(*parts, strict=True)
    flat = [token for row in rows for token in row]
    width = max(map(len, tables))
    return Batch(
        np.array(flat, np.int32),
        np.cumsum([0, *map(len, rows)]).astype(np.int32),
        np.array(cached, np.int32),
        np.array([[*table, *[-1] * (width - len(table))] for table in tables], np.int32),
        np.arange(len(flat), dtype=np.int32) if wanted is None else np.array(wanted, np.int32),
    )
