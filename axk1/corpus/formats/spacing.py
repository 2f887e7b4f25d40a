"""Whether a space is due between two characters, by the habits of the document that they stand in."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator

__all__ = ["SpacingHabits"]

Feature = tuple[str, str]


class SpacingHabits:
    """Counts of what stands on both sides of a space, and of two characters of one word (naive Bayes)."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._apart, self._together = Counter[Feature](), Counter[Feature]()
        self._places = [0, 0]
        for line in lines:
            self._learn(" ".join(line.split()))

    def _learn(self, line: str) -> None:
        for at in range(1, len(line) - 1):
            if line[at] == " ":
                self._places[1] += 1
                self._apart.update(_features(line[:at], line[at + 1 :]))
            elif line[at - 1] != " ":
                self._places[0] += 1
                self._together.update(_features(line[:at], line[at:]))

    def odds(self, before: str, after: str) -> float:
        """The logarithm of the odds for a space between the texts; above 0: a space is the likelier."""
        together, apart = self._places[0] + 1, self._places[1] + 1
        score = math.log(apart / together)
        for feature in _features(before, after):
            score += math.log((self._apart[feature] + 0.5 * apart / together) / apart)
            score -= math.log((self._together[feature] + 0.5) / together)
        return score


def _features(before: str, after: str) -> Iterator[Feature]:
    """The last one and two characters before the place, the first one and two after it."""
    yield "before", before[-1:]
    yield "before two", before[-2:]
    yield "after", after[:1]
    yield "after two", after[:2]
