"""Documents to look at: some of every source, chosen by a hash, so that the order of the files has no say."""

import heapq
from collections import defaultdict

from axk1.corpus.release.tables import Row
from axk1.corpus.split import position

__all__ = ["Samples"]


class Samples:
    """At most `count` documents in all, the sources sharing evenly."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._heaps: dict[str, list[tuple[float, int, Row]]] = defaultdict(list)
        self._number = 0

    def add(self, row: Row, split: str) -> None:
        """Offer a document."""
        self._number += 1
        entry = (-position(row["text"], "sample page"), self._number, {**row, "split": split})
        heap = self._heaps[row["source"]]
        if len(heap) < self._count:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)

    def chosen(self) -> list[Row]:
        """Sources in turn until there are enough; each source's in the order of their hashes."""
        queues = [sorted(heap, reverse=True) for _, heap in sorted(self._heaps.items())]
        picked = [
            (place, source, queue[place][2])
            for source, queue in enumerate(queues)
            for place in range(min(len(queue), self._count))
        ]
        return [row for _, _, row in sorted(picked, key=lambda one: one[:2])[: self._count]]
