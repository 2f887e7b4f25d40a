"""Microsoft Presidio's pattern recognisers behind our protocol: recognizers = ["rules", "presidio"].

Only recognisers that need neither a language model nor the network are used: the Korean ones, card, IP and phone. The
engine would load a spaCy model, and the one for e-mail fetches the list of public suffixes, so both are left out.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from axk1.corpus.privacy.finding import Finding

__all__ = ["Presidio"]

_KINDS = {
    "KR_RRN": "rrn",
    "KR_FRN": "frn",
    "KR_BRN": "business_number",
    "KR_DRIVER_LICENSE": "driver_licence",
    "KR_PASSPORT": "passport",
    "CREDIT_CARD": "card",
    "IP_ADDRESS": "ip",
    "PHONE_NUMBER": "phone",
}


_RECOGNISERS = (
    "KrRrnRecognizer",
    "KrFrnRecognizer",
    "KrBrnRecognizer",
    "KrDriverLicenseRecognizer",
    "KrPassportRecognizer",
    "CreditCardRecognizer",
    "IpRecognizer",
)


class Presidio:
    """threshold: findings that Presidio is less sure of are left out; a bare passport pattern has 0.05, a right
    checksum 1. ValueError where the package is not installed."""

    def __init__(self, *, threshold: float = 0.4) -> None:
        self._threshold = threshold
        try:
            found = import_module("presidio_analyzer.predefined_recognizers")
        except ModuleNotFoundError as error:
            raise ValueError('recognizer presidio needs its package: pip install "axk1[presidio]"') from error
        self._recognisers: list[Any] = [getattr(found, name)(supported_language="ko") for name in _RECOGNISERS]
        self._recognisers.append(found.PhoneRecognizer(supported_language="ko", supported_regions=("KR",)))

    def __call__(self, text: str) -> Iterator[Finding]:
        """The findings of all recognisers; overlapping ones too."""
        for recogniser in self._recognisers:
            for one in recogniser.analyze(text, recogniser.supported_entities, None):
                if one.score >= self._threshold:
                    yield Finding(_KINDS[one.entity_type], one.start, one.end)
