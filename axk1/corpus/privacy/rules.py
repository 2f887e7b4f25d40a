"""The rules of this room as one recogniser: what a text cannot hold is ruled out before it is searched for."""

from collections.abc import Iterator

from axk1.corpus.privacy.digits import plain_digits
from axk1.corpus.privacy.finding import Finding
from axk1.corpus.privacy.names import names
from axk1.corpus.privacy.network import addresses, emails, secrets
from axk1.corpus.privacy.numbers import numbers
from axk1.corpus.privacy.places import coordinates, passports, plates, postal_addresses

__all__ = ["Rules"]


class Rules:
    """Patterns, checksums and the words around a number. spoken_digits: also 공일공 일이삼사 오육칠팔."""

    def __init__(self, *, spoken_digits: bool = False) -> None:
        self._spoken_digits = spoken_digits

    def __call__(self, text: str) -> Iterator[Finding]:
        """All findings, overlapping ones too."""
        text = plain_digits(text, spoken=self._spoken_digits)
        for search in (numbers, emails, secrets, addresses, passports, coordinates):
            yield from search(text)
        if not text.isascii():
            for search in (postal_addresses, plates, names):
                yield from search(text)
