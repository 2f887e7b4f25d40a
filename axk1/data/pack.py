"""Whole samples into rows of fixed length, with little left empty."""

from collections.abc import Sequence

__all__ = ["best_fit"]


def best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Rows of indices into `lengths`, each row's lengths adding up to at most `capacity`.

    Best fit decreasing: the longest first, each into the fullest row that still has room (at most 11/9 of the best
    possible number of rows, in practice within 1 %). O(n log n + n * capacity / 64). ValueError for a length that
    does not fit or is not above 0.
    """
    rows: list[list[int]] = []
    rooms: list[list[int]] = [[] for _ in range(capacity + 1)]  # rooms[r] = rows with r tokens free
    free = 0  # bit r is set when rooms[r] is not empty: the smallest room that fits is one shift away
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        length = lengths[index]
        if not 0 < length <= capacity:
            raise ValueError(f"sample {index} has {length} tokens; a row takes 1 to {capacity}")
        fitting = free >> length
        room = length + (fitting & -fitting).bit_length() - 1 if fitting else capacity
        if fitting:
            row = rooms[room].pop()
            free ^= (1 << room) if not rooms[room] else 0
        else:
            row = len(rows)
            rows.append([])
        rows[row].append(index)
        rooms[room - length].append(row)
        free |= 1 << (room - length)
    return rows
