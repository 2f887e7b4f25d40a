"""What a release holds, counted while it streams by, in memory that does not grow with it."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from axk1.config import to_mapping
from axk1.corpus.measure import Amount

__all__ = ["BIN_STARTS", "Statistics"]

BIN_STARTS = tuple(2**power for power in range(21))
"""Lengths are counted in classes that double: 1, 2–3, 4–7 … characters; the last class is open."""


class Statistics:
    """Amounts by split, source and licence, and how many documents are how long."""

    def __init__(self) -> None:
        self._by: dict[str, dict[str, Amount]] = {"split": {}, "source": {}, "license": {}}
        self._lengths: Counter[int] = Counter()

    def add(self, text: str, split: str, source: str, license_: str) -> None:
        """Count one document."""
        amount = Amount.of(text)
        for group, key in (("split", split), ("source", source), ("license", license_)):
            groups = self._by[group]
            groups[key] = groups.get(key, Amount()) + amount
        self._lengths[min(max(amount.characters, 1).bit_length() - 1, len(BIN_STARTS) - 1)] += 1

    @property
    def total(self) -> Amount:
        """Of all splits."""
        return sum(self._by["split"].values(), Amount())

    def by(self, group: str) -> Mapping[str, Amount]:
        """The amounts per split, source or licence, the largest first."""
        return dict(sorted(self._by[group].items(), key=lambda item: (-item[1].bytes, item[0])))

    @property
    def lengths(self) -> tuple[int, ...]:
        """Documents per class of `BIN_STARTS`."""
        return tuple(self._lengths[place] for place in range(len(BIN_STARTS)))

    def to_json(self) -> dict[str, Any]:
        """As in statistics.json."""
        groups = {group: {key: to_mapping(amount) for key, amount in self.by(group).items()} for group in self._by}
        return {"total": to_mapping(self.total), **groups, "characters_from": BIN_STARTS, "documents": self.lengths}
