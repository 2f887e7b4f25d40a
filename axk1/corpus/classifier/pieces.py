"""Pieces of texts: of random places and lengths to learn from, evenly spread ones to judge a document by."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

__all__ = ["EVENLY", "PieceSettings", "Spread", "drawn", "spread"]

_AHEAD = 30  # characters within which a piece begins at the next eojeol


@dataclass(frozen=True)
class PieceSettings:
    """What a document gives to learn from: whoever learns from whole documents learns their first lines by heart.

    Lengths are drawn evenly on a logarithmic scale, so that short pieces are as well known as long ones.
    """

    shortest: int = 60  # characters; a shorter text is one piece
    longest: int = 1200
    most: int = 3  # of a document
    per_label: int = 4000  # in all, and no more of the sources of one label together

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise ValueError(f"wants 1 <= shortest <= longest, found {self.shortest} and {self.longest}")
        if self.most < 1 or self.per_label < 1:
            raise ValueError(f"most and per_label must be at least 1, found {self.most} and {self.per_label}")


@dataclass(frozen=True)
class Spread:
    """What of a document is judged: at most `most` pieces of so many characters, from its beginning to its end."""

    most: int = 4
    characters: int = 1000

    def __post_init__(self) -> None:
        if self.most < 1 or self.characters < 1:
            raise ValueError(f"pieces and characters must be at least 1, found {self.most} and {self.characters}")


EVENLY = Spread()


def drawn(text: str, settings: PieceSettings, seed: int) -> Iterator[str]:
    """Pieces of the text; which, the text and the seed decide. One for every `longest` characters, at most `most`."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, salt=seed.to_bytes(8, "little")).digest()
    rng = random.Random(int.from_bytes(digest, "little"))
    for _ in range(min(settings.most, -(-len(text) // settings.longest))):
        ratio = settings.longest / settings.shortest
        length = min(len(text), int(settings.shortest * ratio ** rng.random()))
        yield _piece(text, rng.randint(0, len(text) - length), length)


def spread(text: str, settings: Spread) -> list[str]:
    """The pieces that a document is judged by; one that fits into `most` pieces is cut evenly."""
    count = min(settings.most, max(1, -(-len(text) // settings.characters)))
    length = min(settings.characters, -(-len(text) // count))
    last = len(text) - length
    return [_piece(text, last * number // max(1, count - 1), length) for number in range(count)]


def _piece(text: str, start: int, length: int) -> str:
    """From the next eojeol on, if one begins soon."""
    space = text.find(" ", start, min(start + _AHEAD, start + length)) if start else -1
    return text[space + 1 if space >= 0 else start : start + length]
